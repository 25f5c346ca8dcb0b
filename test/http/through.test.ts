import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { MEDIA_TYPES } from '../../src/core/media-type.ts';
import { nameForVia } from '../../src/core/via.ts';
import { gate } from '../fixtures/gate.ts';
import { world, type World, type WorldOptions } from '../fixtures/mirror-world.ts';
import { startRegistry } from '../fixtures/registry.ts';
import { generatedBytes } from '../fixtures/registry-content.ts';
import { exchange } from './raw.ts';
import { serve } from './serve.ts';

const SCHEMA1 = 'application/vnd.docker.distribution.manifest.v1+prettyjws';
const BLOB = { size: 3_000_000, seed: 3 };

interface Through extends AsyncDisposable {
  readonly place: World;
  readonly url: string;
}

/** The whole way: a client over HTTP, the mirror with its store, a registry that does as it is told. */
async function through(options: WorldOptions = {}): Promise<Through> {
  const place = await world(options);
  const served = await serve({ source: place.mirror });
  return {
    place,
    url: served.url,
    [Symbol.asyncDispose]: async () => {
      await served[Symbol.asyncDispose]();
      await place[Symbol.asyncDispose]();
    },
  };
}

test('what a client shows of itself stays here', async () => {
  await using way = await through();
  const { manifest, config } = way.place.registry.addImage('library/x', 'v1');
  const headers = {
    authorization: 'Basic bWU6c2VjcmV0',
    cookie: 'session=secret',
    'x-registry-auth': 'secret',
    'x-forwarded-for': '192.0.2.7',
  };
  for (const path of ['manifests/v1', `blobs/${config.digest}`, 'tags/list']) {
    assert.equal((await fetch(`${way.url}/v2/x/${path}`, { headers })).status, 200);
  }
  await fetch(`${way.url}/v2/x/referrers/${manifest.digest}`, { headers });
  const { requests } = way.place.registry;
  assert.ok(requests.length >= 4);
  for (const sent of requests) {
    for (const name of Object.keys(headers)) assert.equal(sent.headers[name], undefined);
    assert.doesNotMatch(JSON.stringify(sent.headers), /c2VjcmV0|secret|192\.0\.2\.7/);
  }
});

for (const status of [401, 403]) {
  test(`an upstream that answers ${status} is 403 DENIED, and its challenge stays there`, async () => {
    await using way = await through();
    way.place.registry.misbehave(
      {},
      {
        kind: 'status',
        status,
        headers: { 'www-authenticate': 'Basic realm="theirs"' },
        body: { errors: [{ code: 'UNAUTHORIZED', message: 'their words' }] },
      },
    );
    const answer = await fetch(`${way.url}/v2/x/manifests/v1`);
    assert.equal(answer.status, 403);
    assert.equal(answer.headers.get('www-authenticate'), null);
    assert.match(await answer.text(), /"DENIED"/);
  });
}

test('manifests of every kind come as they are, by tag and by digest, cold and warm', async () => {
  await using way = await through();
  const { registry } = way.place;
  const empty = { schemaVersion: 2, config: {}, layers: [], manifests: undefined };
  const kinds = [
    MEDIA_TYPES.ociManifest,
    MEDIA_TYPES.ociIndex,
    'application/vnd.docker.distribution.manifest.v2+json',
    'application/vnd.docker.distribution.manifest.list.v2+json',
    SCHEMA1,
  ];
  for (const [index, mediaType] of kinds.entries()) {
    const list = /index|list/.test(mediaType);
    const value =
      mediaType === SCHEMA1
        ? { schemaVersion: 1, name: 'library/x', tag: 'v', fsLayers: [], signatures: [] }
        : list
          ? { schemaVersion: 2, mediaType, manifests: [] }
          : { ...empty, mediaType };
    const bytes = Buffer.from(JSON.stringify(value, undefined, 1 + index));
    const { digest } = registry.addManifest('library/x', `v${index}`, bytes, mediaType);
    for (const at of [`v${index}`, digest, `v${index}`, digest]) {
      const answer = await fetch(`${way.url}/v2/x/manifests/${at}`);
      assert.equal(answer.status, 200, mediaType);
      assert.equal(answer.headers.get('content-type'), mediaType);
      assert.equal(answer.headers.get('docker-content-digest'), digest);
      assert.ok(Buffer.from(await answer.arrayBuffer()).equals(bytes));
    }
  }
});

test('a range is 206 while the blob is cold, on its way and stored', async () => {
  await using way = await through();
  const { registry } = way.place;
  const digest = registry.addBlob(BLOB, 'library/x');
  const bytes = Buffer.from(generatedBytes(BLOB));
  const hold = gate();
  registry.misbehave({ path: /blobs/, times: 1 }, { kind: 'hold-body', at: 1_000_000, gate: hold });
  const ask = async (from: number, to: number) => {
    const answer = await fetch(`${way.url}/v2/x/blobs/${digest}`, {
      headers: { range: `bytes=${from}-${to}` },
    });
    assert.equal(answer.status, 206);
    assert.equal(answer.headers.get('content-range'), `bytes ${from}-${to}/${BLOB.size}`);
    assert.ok(Buffer.from(await answer.arrayBuffer()).equals(bytes.subarray(from, to + 1)));
    return answer.headers.get('cache-status');
  };
  assert.equal(await ask(0, 99), 'layover; fwd=miss; stored');
  assert.equal(await ask(500, 599), 'layover; fwd=miss; collapsed');
  hold.open();
  await way.place.told('download-ended');
  assert.equal(await ask(2_999_900, 2_999_999), 'layover; hit');
  assert.equal(registry.count({ path: /blobs/ }), 1);
});

test('an upstream that leads back to the mirror ends in an error, after few requests', async () => {
  const timeouts = { connect: 500, headers: 500, idle: 500 };
  await using way = await through({ upstream: { timeouts }, retries: 0 });
  const { registry } = way.place;
  registry.misbehave({}, { kind: 'redirect', to: (path) => way.url + path });
  for (const path of ['manifests/v1', `blobs/sha256:${'1'.repeat(64)}`]) {
    const answer = await fetch(`${way.url}/v2/library/x/${path}`);
    assert.ok(answer.status >= 500, `${path}: ${answer.status}`);
    assert.match(await answer.text(), /UPSTREAM_/);
  }
  assert.ok(registry.requests.length < 50, `${registry.requests.length} requests`);
});

/** Mirrors in a row; each asks the next one, the last one what `end` says. */
async function chain(length: number, end: (urls: readonly string[]) => string) {
  await using stack = new AsyncDisposableStack();
  const urls: string[] = [];
  let target = '';
  const door = createServer((request, response) => {
    response.writeHead(307, { location: target + (request.url ?? '') }).end();
  }).listen(0, '127.0.0.1');
  await once(door, 'listening');
  stack.defer(() => {
    door.closeAllConnections();
    door.close();
  });
  const last = `http://127.0.0.1:${(door.address() as AddressInfo).port}`;
  for (let at = 0; at < length; at += 1) {
    const via = nameForVia();
    // Back to front: whom one asks is there before it.
    const place = stack.use(await world({ upstream: { url: urls.at(-1) ?? last, via } }));
    urls.push(stack.use(await serve({ source: place.mirror, via })).url);
  }
  target = end(urls);
  const moved = stack.move();
  return { url: urls.at(-1), [Symbol.asyncDispose]: () => moved.disposeAsync() };
}

for (const length of [1, 2, 3]) {
  test(`${length} mirrors in a circle say so at once, whatever is asked`, async () => {
    await using way = await chain(length, (urls) => urls.at(-1) ?? '');
    for (const path of ['manifests/v1', `blobs/sha256:${'1'.repeat(64)}`, 'tags/list']) {
      const signal = AbortSignal.timeout(3_000);
      const answer = await fetch(`${way.url}/v2/library/x/${path}`, { signal });
      assert.equal(answer.status, 508, path);
      assert.match(await answer.text(), /"LOOP_DETECTED".*leads in a circle/);
    }
  });
}

test('mirrors one behind the other are no circle, and tell of each other alone', async () => {
  await using registry = await startRegistry();
  await using way = await chain(3, () => registry.url);
  const { manifest } = registry.addImage('library/x', 'v1');
  const answer = await fetch(`${way.url}/v2/library/x/manifests/v1`, {
    headers: { via: '1.1 proxy.internal.example (Squid)' },
  });
  assert.equal(answer.headers.get('docker-content-digest'), manifest.digest);
  await answer.arrayBuffer();
  const told = registry.requests.map(({ headers }) => String(headers['via']));
  assert.ok(told.length > 0);
  for (const via of told) assert.match(via, /^1\.1 layover-\w{16}(?:, 1\.1 layover-\w{16}){2}$/);
});

test('a manifest comes whatever Accept says, or does not say', async () => {
  await using way = await through();
  const { manifest } = way.place.registry.addImage('library/x', 'v1');
  const { port } = new URL(way.url);
  for (const accept of [[], ['text/html', 'image/png'], ['text/html', manifest.mediaType]]) {
    const lines = accept.map((type) => `Accept: ${type}\r\n`).join('');
    const answer = await exchange(
      Number(port),
      `GET /v2/x/manifests/v1 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n${lines}\r\n`,
    );
    assert.match(answer, /^HTTP\/1\.1 200 /);
    assert.ok(answer.endsWith(Buffer.from(manifest.bytes).toString('latin1')));
  }
});

test('a manifest asked for as a blob is not there, and stays a manifest', async () => {
  await using way = await through();
  const { manifest } = way.place.registry.addImage('library/x', 'v1');
  for (const method of ['HEAD', 'GET', 'HEAD']) {
    const blob = await fetch(`${way.url}/v2/x/blobs/${manifest.digest}`, { method });
    assert.equal(blob.status, 404, method);
    if (method === 'GET') assert.match(await blob.text(), /BLOB_UNKNOWN/);
    const answer = await fetch(`${way.url}/v2/x/manifests/${manifest.digest}`, { method });
    assert.equal(answer.status, 200, method);
    assert.equal(answer.headers.get('content-type'), manifest.mediaType);
    await answer.arrayBuffer();
  }
});

for (const status of [200, 204]) {
  test(`an upstream that answers ${status} without bytes gives no blob, and nothing is kept`, async () => {
    await using way = await through();
    const { registry } = way.place;
    const digest = registry.addBlob(BLOB, 'library/x');
    const blob = `${way.url}/v2/x/blobs/${digest}`;
    const undo = registry.misbehave({ path: /blobs/ }, { kind: 'status', status });
    for (const init of [{}, { headers: { range: 'bytes=0-' } }, { method: 'HEAD' }]) {
      assert.equal((await fetch(blob, init)).status, 502, JSON.stringify(init));
    }
    undo();
    const answer = await fetch(blob);
    assert.ok(Buffer.from(await answer.arrayBuffer()).equals(Buffer.from(generatedBytes(BLOB))));
  });
}

test('referrers keep everything that their descriptors say, also after a restart', async () => {
  await using way = await through();
  const { registry } = way.place;
  const { manifest } = registry.addImage('library/x', 'v1');
  const odd = {
    mediaType: MEDIA_TYPES.ociManifest,
    digest: manifest.digest,
    size: manifest.size,
    urls: ['https://example.test/a'],
    annotations: { made: 'today' },
    data: 'e30=',
    platform: { os: 'linux', architecture: 'arm64', 'os.features': ['one'] },
    artifactType: 'a/b',
  };
  const body = { schemaVersion: 2, mediaType: MEDIA_TYPES.ociIndex, manifests: [odd] };
  const headers = { 'content-type': MEDIA_TYPES.ociIndex };
  const rule = { path: /referrers/ };
  const undo = registry.misbehave(rule, { kind: 'status', status: 200, body, headers });
  const ask = async (): Promise<unknown> =>
    (await fetch(`${way.url}/v2/x/referrers/${manifest.digest}`)).json();
  assert.deepEqual(await ask(), body);
  undo();
  registry.misbehave(rule, { kind: 'reset' });
  await way.place.restart();
  await using again = await serve({ source: way.place.mirror });
  const kept = await fetch(`${again.url}/v2/x/referrers/${manifest.digest}`);
  assert.deepEqual(await kept.json(), body);
});
