import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, request, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { queryOf } from '../../../src/cli/compat/layerslayer/answer.ts';
import { passedThrough } from '../../../src/cli/compat/layerslayer/hub.ts';
import { MEDIA_TYPES } from '../../../src/core/media-type.ts';
import { file, folder, layerOf, symlink } from '../../fixtures/layer-builder.ts';
import { entryOf, putImage, world, type Put, type World } from './world.ts';

const MAIN = fileURLToPath(new URL('../../../src/main.ts', import.meta.url));
const BASE = layerOf([folder('etc'), file('etc/passwd', 'old')]);
const TOP = layerOf([file('etc/passwd', 'new'), symlink('etc/link', 'passwd')]);

let here: World;
let url: string;
let image: Put;
let stop: () => Promise<unknown>;
const asked: string[] = [];

/** A server of its own, which ends in the end. */
async function serve(...flags: readonly string[]) {
  const line = ['layerslayer', '--api', '--port=0', `--registry=${here.host}`, ...flags];
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', MAIN, ...line], {
    env: { PATH: process.env['PATH'] ?? '', HOME: here.home },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = once(child, 'exit');
  let said = '';
  for await (const chunk of child.stderr.iterator({ destroyOnReturn: false })) {
    said += String(chunk);
    if (said.includes('\n')) break;
  }
  return {
    url: /listening on (http:\/\/127\.0\.0\.1:\d+)\n/.exec(said)?.[1] ?? assert.fail(said),
    end: async (signal: 'SIGINT' | 'SIGTERM') => (child.kill(signal), await ended),
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      await ended;
    },
  };
}

before(async () => {
  await using stack = new AsyncDisposableStack();
  here = stack.use(await world());
  const platforms = ['amd64', 'arm64'].map((architecture) => ({ os: 'linux', architecture }));
  image = putImage(here.registry, 'user/app', 'v1', [BASE, TOP]);
  putImage(here.registry, 'team/part/app', 'v1', [BASE, TOP]);
  const [first, second] = [[BASE, TOP], [BASE]].map((layers, index) =>
    putImage(here.registry, 'user/many', undefined, layers, {
      platform: platforms[index] ?? { os: '', architecture: '' },
    }),
  );
  assert.ok(first !== undefined && second !== undefined);
  here.registry.addManifest('user/many', 'v1', {
    schemaVersion: 2,
    mediaType: MEDIA_TYPES.ociIndex,
    manifests: [entryOf(first, platforms[0]), entryOf(second, platforms[1])],
  });
  const hub = createServer(({ url = '' }, response) => {
    asked.push(url);
    response.statusCode = url.includes('missing') ? 404 : 200;
    response.setHeader('Content-Type', 'application/json').end(JSON.stringify({ asked: url }));
  });
  hub.listen(0, '127.0.0.1');
  await once(hub, 'listening');
  stack.defer(() => void hub.close());
  const { port } = hub.address() as AddressInfo;
  const served = stack.use(await serve(`--hub=http://127.0.0.1:${port}`));
  url = served.url;
  const owned = stack.move();
  stop = () => owned.disposeAsync();
});

after(() => stop());

async function got(path: string) {
  const response = await fetch(url + path);
  const { status, headers } = response;
  return { status, headers, text: await response.text() };
}

for (const [path, expected] of [
  [
    '/peek-all?image=user/app:v1',
    [/^ Welcome to Layerslayer \n[\s\S]*\[Layer 0\][\s\S]*\[Layer 1\]/],
  ],
  [
    '/peek-all?image=user/many:v1&arch=1',
    [/Using platform index 1 \(from --arch\)\n/, /\[Layer 0\]/],
  ],
  [
    '/peek?image=user/app:v1&layer=1&hide_build=true',
    [/Build steps: hidden \(0 steps\)\n\n\[Layer 1\]/],
  ],
  ['/peek?image=user/app:v1', [/etc\/link -> passwd\n/]],
  [
    '/fslog?image=user/app:v1&path=/etc',
    [/etc\/passwd +\[L1\]\n.*etc\/passwd +\[L0\] \(overridden\)\n/],
  ],
  ['/fslog?image=user/app:v1&path=/etc&layer=0', [/^.* etc\/passwd +\n$/]],
  ['/fslog-search?q=link', [/etc\/link -> passwd +\[.*user\/app:v1 layer 1\]\n/]],
  ['/fslog-search?q=passwd&image=user/app:v1&layer=0', [/^.* etc\/passwd +\[.* layer 0\]\n$/]],
  ['/history', [/^peeked at {12}layers {2}image\n[-\dT:]{19} {2}2\/2 {5}.*user\/app:v1\n/]],
  ['/history?q=nothing', [/^No peeked images found\n$/]],
] as const) {
  test(`layerslayer --api: GET ${path}`, async () => {
    await got('/peek-all?image=user/app:v1');
    const { status, headers, text } = await got(path);
    assert.equal(status, 200, text);
    assert.match(headers.get('content-type') ?? '', /^text\/plain/);
    for (const one of expected) assert.match(text, one);
  });
}

for (const [path, status, detail] of [
  ['/peek-all?image=alpine', 400, 'Invalid image reference format'],
  ['/peek-all?image=host:0/user/app', 400, 'Invalid image reference format'],
  ['/peek-all?image=user/app:', 400, 'Invalid image reference format'],
  ['/peek-all?image=user/app@sha256:ab', 400, 'Invalid image reference format'],
  ['/peek-all?image=http://host/user/app', 400, 'Invalid image reference format'],
  ['/carve?image=user//app&path=/x', 400, 'Invalid image reference format'],
  ['/fslog?image=user/App&path=/', 400, 'Invalid image reference format'],
  ['/peek-all', 422, undefined],
  ['/peek-all?image=user/app:none', 404, undefined],
  [
    '/peek-all?image=user/many:v1&arch=7',
    400,
    '[!] Error: --arch 7 is out of range. Valid indices: 0-1',
  ],
  ['/carve?image=user/app:v1&path=/none', 404, undefined],
  ['/layer/download?image=user/app:v1&digest=none', 400, 'Invalid digest format'],
  ['/repositories/user/many/tags/v1/config?arch=s390x', 404, 'No image for architecture s390x'],
  ['/repositories/user/none/tags/v1/config', 502, undefined],
  ['/history?page_size=101', 422, undefined],
  ['/repositories', 422, undefined],
  ['/elsewhere', 404, 'Not Found'],
] as const) {
  test(`layerslayer --api refuses: ${path}`, async () => {
    const { status: given, text } = await got(path);
    const body = JSON.parse(text) as { readonly detail: unknown };
    assert.equal(given, status, text);
    if (detail === undefined) assert.ok(body.detail);
    else assert.equal(body.detail, detail);
  });
}

test('layerslayer --api reads images as the command line does: ports, segments, digests', async () => {
  for (const name of [
    `${here.host}/user/app:v1`,
    `${here.host}/team/part/app:v1`,
    'team/part/app:v1',
    `team/part/app@${image.manifest.digest}`,
    `${here.host}/user/app:v1@${image.manifest.digest}`,
  ]) {
    const named = `image=${encodeURIComponent(name)}`;
    const carved = await got(`/carve?${named}&path=/etc/passwd`);
    assert.deepEqual([carved.status, carved.text], [200, 'new'], name);
    assert.equal((await got(`/peek-all?${named}`)).status, 200);
    assert.match((await got(`/fslog?${named}&path=/etc`)).text, /etc\/passwd/);
  }
});

test('layerslayer --api: /carve gives the file that a container would see, or that of a layer', async () => {
  const carved = await got('/carve?image=user/app:v1&path=/etc/link');
  assert.deepEqual([carved.status, carved.text], [200, 'new']);
  assert.equal(carved.headers.get('content-disposition'), 'attachment; filename="link"');
  const old = await got('/carve?image=user/app:v1&path=/etc/passwd&layer=0&as_text=true');
  assert.equal(old.text, 'old');
  assert.match(old.headers.get('content-type') ?? '', /^text\/plain/);
  assert.match(old.headers.get('content-disposition') ?? '', /^inline/);
});

test('layerslayer --api: /layer/download gives a layer as it is stored', async () => {
  const digest = image.layers[1]?.digest ?? '';
  const response = await fetch(`${url}/layer/download?image=user/app:v1&digest=${digest}`);
  assert.equal(response.headers.get('content-type'), 'application/gzip');
  const name = `attachment; filename="${digest.replace(':', '_')}.tar.gz"`;
  assert.equal(response.headers.get('content-disposition'), name);
  assert.deepEqual(Buffer.from(await response.arrayBuffer()), TOP);
});

test('layerslayer --api: /peek/status tells which layers were peeked', async () => {
  await got('/peek?image=user/app:v1&layer=all');
  for (const path of [
    '/peek/status?image=user/app:v1',
    '/peek?image=user/app:v1&status_only=true',
  ]) {
    const { text } = await got(path);
    const status = JSON.parse(text) as Record<string, unknown> & {
      readonly layers: readonly Record<string, unknown>[];
    };
    assert.equal(status['config_digest'], image.config.digest);
    assert.deepEqual([status['layer_count'], status['peeked_count']], [2, 2]);
    const { peeked_at, ...first } = status.layers[0] ?? {};
    const { digest, size } = image.layers[0] ?? {};
    assert.deepEqual(first, { idx: 0, digest, size, peeked: true, entries_count: 2 });
    assert.match(String(peeked_at), /^\d{4}-/);
  }
});

test('layerslayer --api: the config of an image', async () => {
  for (const more of ['', '&force_refresh=true']) {
    const { status, text } = await got(`/repositories/user/many/tags/v1/config?arch=amd64${more}`);
    assert.equal(status, 200);
    assert.equal((JSON.parse(text) as Record<string, unknown>)['architecture'], 'amd64');
  }
});

for (const [path, hub, status] of [
  ['/repositories?namespace=user&page=2', '/v2/repositories/user?page=2', 200],
  [
    '/repositories/u/r/tags?page_size=5',
    '/v2/repositories/u/r/tags?page_size=5&ordering=last_updated',
    200,
  ],
  [
    '/repositories/u/r/tags/v1/images',
    '/v2/repositories/u/r/tags/v1/images?ordering=last_updated',
    200,
  ],
  ['/search.data?q=a%26b&sort=pull_count', '/search.data?q=a%26b&sort=pull_count', 200],
  ['/repositories?namespace=..%2Fmissing', '/v2/repositories/..%2Fmissing', 404],
] as const) {
  test(`layerslayer --api asks Hub: ${path}`, async () => {
    const answer = await got(path);
    assert.equal(asked.at(-1), hub);
    assert.deepEqual([answer.status, JSON.parse(answer.text)], [status, { asked: hub }]);
  });
}

test('layerslayer --api: a Hub that cannot be asked is told of, with 502', async () => {
  await using stack = new AsyncDisposableStack();
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  const controller = stack.adopt(new AbortController(), (one) => one.abort());
  const query = queryOf(new URLSearchParams());
  const hub = new URL(`http://127.0.0.1:${port}`);
  await assert.rejects(passedThrough(hub, ['x'], query, {}, controller.signal), { status: 502 });
});

test('layerslayer --api on this machine answers to names of this machine, and to GET', async () => {
  const { port } = new URL(url);
  const [response] = (await once(
    request({ port, host: '127.0.0.1', path: '/history', headers: { host: 'evil.example' } }).end(),
    'response',
  )) as [IncomingMessage];
  response.resume();
  assert.equal(response.statusCode, 403);
  assert.equal((await fetch(`${url}/history`, { method: 'POST' })).status, 405);
});

for (const [who, headers, status] of [
  ['a page of elsewhere', { 'sec-fetch-site': 'cross-site', 'sec-fetch-dest': 'image' }, 403],
  ['a page of another port', { 'sec-fetch-site': 'same-site', 'sec-fetch-dest': 'empty' }, 403],
  ['a frame', { 'sec-fetch-site': 'cross-site', 'sec-fetch-dest': 'iframe' }, 403],
  ['a link', { 'sec-fetch-site': 'cross-site', 'sec-fetch-dest': 'document' }, 200],
  ['a page of its own', { 'sec-fetch-site': 'same-origin', 'sec-fetch-dest': 'empty' }, 200],
  ['an address that was typed', { 'sec-fetch-site': 'none', 'sec-fetch-dest': 'document' }, 200],
] as const) {
  test(`layerslayer --api gives ${who} ${status}`, async () => {
    const sent = request(`${url}/history`, { headers }).end();
    const [response] = (await once(sent, 'response')) as [IncomingMessage];
    response.resume();
    assert.equal(response.statusCode, status);
  });
}

test('layerslayer --api: a layer that turns out wrong ends the connection', async () => {
  const wrong = putImage(
    here.registry,
    'user/wrong',
    'v1',
    [layerOf([file('x', 'wrong')], 'none')],
    {
      types: ['tar'],
    },
  );
  const digest = wrong.layers[0]?.digest ?? '';
  const undo = here.registry.misbehave({ path: new RegExp(digest) }, { kind: 'flip', at: 520 });
  try {
    const response = await fetch(
      `${url}/layer/download?image=user/wrong:v1&digest=${digest}`,
    ).catch(() => undefined);
    if (response?.ok === true) await assert.rejects(response.arrayBuffer());
  } finally {
    undo();
  }
});

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  test(`layerslayer --api ends with 0 by ${signal}`, async () => {
    await using served = await serve();
    assert.equal((await fetch(`${served.url}/history`)).status, 200);
    assert.deepEqual(await served.end(signal), [0, null]);
  });
}
