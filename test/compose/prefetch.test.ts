import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { startRegistry } from '../fixtures/registry.ts';
import { temporaryFolder } from '../fixtures/temporary.ts';
import { gate } from '../fixtures/gate.ts';

const LAUNCHER = fileURLToPath(new URL('../../bin/layover', import.meta.url));
const BLOBS = { method: 'GET', path: /\/blobs\// };

/** A registry, a configuration with it as docker.io, and the program. */
async function place(more = '') {
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(await temporaryFolder());
  const origin = stack.use(await startRegistry());
  const config = path.join(folder.path, 'layover.yaml');
  const data = path.join(folder.path, 'data');
  await writeFile(
    config,
    `listen: 127.0.0.1:0\nadmin: { listen: 127.0.0.1:0 }\nstorage: { path: ${data}, minFree: 0 }\nupstreams: { docker.io: { url: "${origin.url}" } }\n${more}`,
  );
  const children = stack.use(new AsyncDisposableStack());
  const start = (...line: readonly string[]) => {
    const child = spawn(LAUNCHER, [...line, '--config', config], { cwd: folder.path });
    children.defer(async () => {
      if (child.exitCode === null && child.signalCode === null) {
        child.kill('SIGKILL');
        await once(child, 'exit');
      }
    });
    return child;
  };
  const run = async (line: readonly string[], input = '') => {
    const child = start(...line);
    child.stdin.end(input);
    const [out, error] = await Promise.all([text(child.stdout), text(child.stderr)]);
    if (child.exitCode === null) await once(child, 'exit');
    return { code: child.exitCode, out, error };
  };
  const serve = async () => {
    const child = start('serve');
    child.stderr.pipe(process.stderr);
    let log = '';
    const port = Promise.withResolvers<string>();
    child.stdout.on('data', (data: Buffer) => {
      log += String(data);
      const found = /"port":(\d+).*"msg":"serving"/.exec(log)?.[1];
      if (found !== undefined) port.resolve(found);
    });
    child.on('exit', () => port.reject(new Error(log)));
    const url = `http://127.0.0.1:${await port.promise}`;
    const stop = async () => {
      child.kill('SIGTERM');
      await once(child, 'exit');
      return log;
    };
    return { url, stop, log: () => log };
  };
  const whole = stack.move();
  return {
    folder: folder.path,
    config,
    origin,
    run,
    start,
    serve,
    [Symbol.asyncDispose]: () => whole.disposeAsync(),
  };
}

test('without a server: the verb fetches by itself, and a server has it all with nobody to ask', async () => {
  await using here = await place();
  const image = here.origin.addImage('library/x', 'v1', { layers: ['one', 'two'] });
  const dry = await here.run(['prefetch', '--dry-run', 'x:v1']);
  assert.equal(dry.code, 0, dry.error);
  assert.match(dry.error, /1 image: would fetch 4 blobs/);
  assert.equal(here.origin.count(BLOBS), 0);
  const { code, error } = await here.run(['prefetch', 'x:v1']);
  assert.equal(code, 0, error);
  assert.match(error, /1 image: fetched 4 blobs/);
  const again = await here.run(['prefetch', 'x:v1', '--json']);
  const summary = JSON.parse(again.out.trim().split('\n').at(-1) ?? '');
  assert.deepEqual(summary.fetched, { blobs: 0, bytes: 0 });
  here.origin.misbehave({}, { kind: 'reset' });
  const server = await here.serve();
  for (const [kind, at] of [
    ['manifests', 'v1'],
    ...[image.config, ...image.layers].map(({ digest }) => ['blobs', digest]),
  ]) {
    const { status } = await fetch(`${server.url}/v2/library/x/${kind}/${at}`);
    assert.equal(status, 200, `${kind} ${at}`);
  }
});

test('of an index what is listed as cached is the platform that was fetched', async () => {
  await using here = await place();
  const [amd, arm] = ['amd64', 'arm64'].map((architecture) => {
    const image = here.origin.addImage('library/x', undefined, {
      layers: [architecture],
      config: { architecture },
    });
    const { mediaType, digest, size } = image.manifest;
    return { mediaType, digest, size, platform: { os: 'linux', architecture } };
  });
  here.origin.addIndex('library/x', 'v1', [amd!, arm!]);
  const { code, error } = await here.run(['prefetch', 'x:v1', '--platform', 'linux/arm64']);
  assert.equal(code, 0, error);
  const listed = await here.run(['ls-cache', '--json']);
  const [image, ...more] = listed.out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  assert.deepEqual(more, []);
  assert.deepEqual(image.platforms, ['linux/arm64']);
});

test('while the server runs: it fetches, files are read by the verb, and what fails is told', async () => {
  await using here = await place();
  for (const tag of ['1.0', '1.1', '2.0']) {
    here.origin.addImage('library/x', tag, { layers: [tag], config: { tag } });
  }
  here.origin.addImage('team/y', 'v1', { layers: ['y'] });
  const server = await here.serve();
  await mkdir(path.join(here.folder, 'deploy'));
  await writeFile(
    path.join(here.folder, 'deploy', 'pod.yaml'),
    'kind: Pod\napiVersion: v1\nspec: { containers: [{ image: team/y:v1 }, { image: "{{ .Values.x }}" }] }\n',
  );
  await writeFile(path.join(here.folder, '.env'), 'TAG=2.0\n');
  await writeFile(
    path.join(here.folder, 'compose.yaml'),
    'services:\n  a: { image: "x:${TAG}" }\n  b: { build: . }\n  c: { build: ., image: team/none:v1 }\n',
  );
  const line = ['prefetch', '--from', 'deploy', '--from', 'compose.yaml', '--from', '-'];
  const { code, error } = await here.run(line, 'x:1.*\nx:none\n');
  assert.equal(code, 1);
  assert.match(error, /compose\.yaml:3 services\.b: passed over: it is built/);
  assert.match(
    error,
    /compose\.yaml:4 services\.c\.image: passed over: it is built, and there is no docker\.io\/team\/none:v1 to fetch/,
  );
  assert.doesNotMatch(error, /^docker\.io\/team\/none/m);
  assert.match(error, /deploy\/pod\.yaml:3 spec\.containers\[1\]\.image: it is a template/);
  assert.match(error, /docker\.io\/library\/x:1\.\*: 2 of 3 tags/);
  assert.match(error, /docker\.io\/library\/x:none: .*none is not there/);
  assert.match(error, /4 images: fetched 12 blobs/);
  assert.match(error, /2 images failed/);
  const metrics = await (await fetch(`${server.url}/metrics`)).text();
  assert.match(metrics, /layover_prefetch_runs_total\{trigger="request",result="incomplete"\} 1/);
  assert.match(metrics, /layover_prefetch_images_total\{trigger="request",result="complete"\} 4/);
  here.origin.misbehave({}, { kind: 'reset' });
  for (const name of [
    'library/x/manifests/1.0',
    'library/x/manifests/2.0',
    'team/y/manifests/v1',
  ]) {
    assert.equal((await fetch(`${server.url}/v2/${name}`)).status, 200, name);
  }
  const log = await server.stop();
  assert.match(log, /"trigger":"request".*"msg":"prefetch ended"/);
});

test('Ctrl-C ends the run in the server, which goes on serving', async () => {
  await using here = await place();
  here.origin.addImage('library/x', 'v1', { layers: [{ size: 1_000_000, seed: 1 }] });
  const server = await here.serve();
  const held = gate();
  here.origin.misbehave(BLOBS, { kind: 'hold-headers', gate: held });
  const child = here.start('prefetch', 'x:v1');
  child.stdin.end();
  await here.origin.seen(BLOBS);
  child.kill('SIGINT');
  await once(child, 'exit');
  assert.equal(child.exitCode, 130);
  held.open();
  while (!server.log().includes('"result":"interrupted"')) {
    assert.equal((await fetch(`${server.url}/livez`)).status, 200);
  }
});

test('a server that ends interrupts the run, and the verb says so', async () => {
  await using here = await place();
  here.origin.addImage('library/x', 'v1', { layers: [{ size: 1_000_000, seed: 1 }] });
  const server = await here.serve();
  here.origin.misbehave(BLOBS, { kind: 'never-answer' });
  const running = here.run(['prefetch', 'x:v1', '-q']);
  await here.origin.seen(BLOBS);
  await server.stop();
  const { code, error } = await running;
  assert.equal(code, 1);
  assert.match(error, /the server is ending|the server ended/);
});

for (const [what, line, code, message] of [
  ['nothing to fetch', ['prefetch'], 2, /name an image, or a file/],
  [
    'a file that is not there',
    ['prefetch', '--from', 'none.yaml'],
    1,
    /none\.yaml: there is no such file/,
  ],
  ['a file without images', ['prefetch', '--from', 'layover.yaml'], 1, /no image in layover\.yaml/],
  ['a platform that is none', ['prefetch', 'x', '--platform', 'a b'], 2, /not a platform/],
  [
    'all platforms and one',
    ['prefetch', 'x', '--platform', 'all', '--platform', 'amd64'],
    2,
    /leaves nothing/,
  ],
  ['a number that is none', ['prefetch', 'x', '--max-tags', '0'], 2, /not a number/],
] as const) {
  test(`refused: ${what}`, async () => {
    await using here = await place();
    const ran = await here.run(line);
    assert.equal(ran.code, code, ran.error);
    assert.match(ran.error, message);
  });
}

test('on a schedule: at the start, not again after a restart, and by a configuration that changes', async () => {
  await using here = await place('prefetch: [{ images: [x:v1], files: [list.txt] }]\n');
  await writeFile(path.join(here.folder, 'list.txt'), 'y:v1\n');
  for (const name of ['x', 'y', 'z']) {
    here.origin.addImage(`library/${name}`, 'v1', { layers: [name] });
  }
  const ended = async (server: { log: () => string; url: string }, count: number) => {
    while (server.log().split('"msg":"prefetch ended"').length <= count) {
      await (await fetch(`${server.url}/livez`)).text();
    }
  };
  const first = await here.serve();
  await ended(first, 1);
  assert.match(first.log(), /"trigger":"schedule","result":"complete"/);
  await first.stop();
  here.origin.misbehave({ path: /library\/[xy]/ }, { kind: 'reset' });
  const before = here.origin.requests.length;
  const second = await here.serve();
  for (const name of ['x', 'y']) {
    const { status } = await fetch(`${second.url}/v2/library/${name}/manifests/v1`);
    assert.equal(status, 200);
  }
  const text = await readFile(here.config, 'utf8');
  await writeFile(here.config, text.replace(/prefetch:.*/, 'prefetch: [{ images: [z:v1] }]'));
  await ended(second, 1);
  assert.match(second.log(), /"result":"complete"/);
  const asked = here.origin.requests.slice(before).filter(({ path }) => !path.includes('/z/'));
  assert.deepEqual(asked, []);
});

test('when a tag moves the image is fetched whole behind the answer', async () => {
  await using here = await place(
    'tags: { freshFor: 0 }\nprefetch: [{ images: ["x:v*"], every: 0, whenTagMoves: true }]\n',
  );
  here.origin.addImage('library/x', 'v1', { layers: ['old'] });
  const server = await here.serve();
  const pull = async () => await (await fetch(`${server.url}/v2/library/x/manifests/v1`)).text();
  await pull();
  assert.equal(here.origin.count(BLOBS), 0);
  const moved = here.origin.addImage('library/x', 'v1', { layers: ['new', 'newer'] });
  await pull();
  while (!server.log().includes('"msg":"prefetch ended"')) await pull();
  assert.match(server.log(), /"image":"docker.io\/library\/x:v1".*"msg":"tag-moved"/);
  assert.match(server.log(), /"trigger":"tag-moved","result":"complete"/);
  here.origin.misbehave({}, { kind: 'reset' });
  for (const { digest } of [moved.config, ...moved.layers]) {
    const { status } = await fetch(`${server.url}/v2/library/x/blobs/${digest}`);
    assert.equal(status, 200);
  }
});

test('a name that is typed without a registry is one of the default upstream, one in a file is one of Docker Hub', async () => {
  await using here = await place('prefetch: [{ images: [org/later:v1] }]\n');
  await using other = await startRegistry();
  const text = await readFile(here.config, 'utf8');
  const upstreams = text.replace('upstreams: {', `upstreams: { up.test: { url: "${other.url}" },`);
  await writeFile(here.config, `defaultUpstream: up.test\n${upstreams}`);
  for (const name of ['one', 'two', 'later']) {
    other.addImage(`org/${name}`, 'v1', { layers: [name] });
  }
  here.origin.addImage('org/file', 'v1', { layers: ['file'] });
  await writeFile(path.join(here.folder, 'list.txt'), 'org/file:v1\n');
  const alone = await here.run(['prefetch', 'org/one:v1', '--from', 'list.txt']);
  assert.equal(alone.code, 0, alone.error);
  const server = await here.serve();
  const asked = await here.run(['prefetch', 'org/tw*:v1', 'org/two:v*']);
  assert.match(asked.error, /may stand in the tag only/);
  assert.match(asked.error, /up\.test\/org\/two:v\*: 1 of 1 tags/);
  while (!server.log().includes('"trigger":"schedule","result":"complete"')) {
    await (await fetch(`${server.url}/livez`)).text();
  }
  const archive = path.join(here.folder, 'one.tar');
  const from = `${new URL(server.url).host}/up.test/org/one:v1`;
  await promisify(execFile)(LAUNCHER, [
    'pull',
    '--no-cache',
    '-q',
    '--plain-http',
    from,
    '-o',
    archive,
  ]);
  const taken = await here.run(['import', 'one.tar', '--as', 'org/again:v1']);
  assert.equal(taken.code, 0, taken.error);
  const { out } = await here.run(['ls-cache', '--no-header', '--columns', 'image']);
  assert.deepEqual(
    out
      .trim()
      .split('\n')
      .map((line) => line.trim())
      .toSorted(),
    [
      'docker.io/org/file:v1',
      ...['again', 'later', 'one', 'two'].map((name) => `up.test/org/${name}:v1`),
    ],
  );
});
