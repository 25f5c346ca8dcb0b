import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { Reloads, type ReloadEvent } from '../../src/compose/reloads.ts';
import { Hangups } from '../../src/compose/signals.ts';
import { Worlds, type World } from '../../src/compose/worlds.ts';
import { readPem } from '../../src/config/pem.ts';
import { readConfig, type Request } from '../../src/config/read.ts';
import { certificateAuthority } from '../fixtures/certificate.ts';
import { MemorySource } from '../fixtures/memory-source.ts';
import { temporaryFolder } from '../fixtures/temporary.ts';

async function reloading(text: string) {
  const folder = await temporaryFolder();
  const file = path.join(folder.path, 'layover.yaml');
  await writeFile(file, text);
  const request: Request = { file, defaultFile: file, environment: {}, overrides: [] };
  const read = await readConfig(request);
  const pem = await readPem(read, {});
  const events: ReloadEvent[] = [];
  const applied: number[] = [];
  let failure: Error | undefined;
  const reloads = new Reloads({
    request,
    read,
    pem,
    apply: ({ config }) => {
      if (failure !== undefined) throw failure;
      applied.push(config.drain);
    },
    observe: (event) => events.push(event),
  });
  return {
    folder: folder.path,
    file,
    reloads,
    events,
    applied,
    fail: (error: Error | undefined) => {
      failure = error;
    },
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  };
}

test('whoever asks while one waits is served by that one, and it reads what is there by then', async () => {
  await using place = await reloading('drain: 1s');
  const { reloads, applied, events, file } = place;
  await writeFile(file, 'drain: 2s');
  const first = reloads.reload('signal');
  const asked = Array.from({ length: 50 }, () => reloads.reload('signal'));
  await first;
  await Promise.all(asked);
  assert.ok(events.length <= 2, `${events.length} reloads`);
  assert.equal(applied.at(-1), 2000);
});

test('a look at files that are as they were is no reload; another content is one, once', async () => {
  await using place = await reloading('drain: 1s');
  const { reloads, events, file } = place;
  await reloads.look();
  await writeFile(file, 'drain: 1s');
  await reloads.look();
  assert.deepEqual(events, []);
  await writeFile(file, 'drain: soon');
  await reloads.look();
  await reloads.look();
  assert.deepEqual(
    events.map(({ type }) => type),
    ['refused'],
  );
  await writeFile(file, 'drain: 1s');
  await reloads.look();
  assert.deepEqual(events.at(-1), {
    type: 'reloaded',
    cause: 'files',
    changed: [],
    renewed: [],
    needRestart: [],
  });
});

test('what cannot be put into effect is refused, and the next one is held against what is in effect', async () => {
  await using place = await reloading('drain: 1s');
  const { reloads, events, file, fail } = place;
  await writeFile(file, 'drain: 2s');
  fail(new Error('no certificate of that kind'));
  await reloads.reload('signal');
  assert.deepEqual(events, [
    { type: 'refused', cause: 'signal', faults: ['no certificate of that kind'] },
  ]);
  fail(undefined);
  await reloads.reload('signal');
  const [, event] = events;
  assert.deepEqual(event?.type === 'reloaded' && event.changed, ['drain']);
});

test('files that a refused configuration names are looked at as well, those in effect still are', async () => {
  const { ca } = certificateAuthority();
  await using place = await reloading('{}');
  const { reloads, events, file, folder } = place;
  const [one, two] = ['one.pem', 'two.pem'].map((name) => path.join(folder, name)) as [
    string,
    string,
  ];
  const naming = (pem: string): string => `upstreams: { x.io: { tls: { ca: ${pem} } } }`;
  await writeFile(one, ca);
  await writeFile(file, naming(one));
  await reloads.look();
  await writeFile(file, naming(two));
  await reloads.look();
  assert.deepEqual(reloads.files, [file, one, two]);
  assert.equal(events.at(-1)?.type, 'refused');
  await reloads.look();
  assert.equal(events.length, 2, 'nothing is another since');
  await writeFile(two, ca);
  await reloads.look();
  const last = events.at(-1);
  assert.deepEqual(last?.type === 'reloaded' && last.changed, ['upstreams.x.io.tls.ca']);
  assert.deepEqual(reloads.files, [file, two]);
});

test('who works for a request sees its world, all others the one in effect', async () => {
  const request: Request = { file: undefined, defaultFile: '', environment: {}, overrides: [] };
  const { config } = await readConfig(request);
  const worlds = new Worlds(config);
  assert.throws(() => worlds.now);
  assert.equal(worlds.config, config);
  const source = new MemorySource();
  const worldOf = (drain: number): World => ({
    config: { ...config, drain },
    upstreams: { of: () => source, distrust: () => {} },
    serving: {
      source: asking,
      router: { repository: () => repository, upstream: () => undefined },
      catalog: async () => [],
      whenRateLimited: 429,
    },
  });
  const repository = { host: 'x.io', path: 'a' };
  const going = Promise.withResolvers<void>();
  const seen: number[] = [];
  const asking = Object.assign(new MemorySource(), {
    async tags() {
      seen.push(worlds.here.config.drain);
      await going.promise;
      seen.push(worlds.here.config.drain);
      return { items: [] };
    },
  });
  const told: unknown[] = [];
  worlds.begin(worldOf(1));
  using follower = worlds.follow((now, before) => told.push([before.drain, now.drain]));
  const first = worlds.enter(() => worlds.now.serving.source.tags(repository));
  worlds.begin(worldOf(2));
  assert.equal(worlds.here.config.drain, 2);
  going.resolve();
  await first;
  assert.deepEqual(seen, [1, 1]);
  assert.deepEqual(told, [[1, 2]]);
  follower[Symbol.dispose]();
  worlds.begin(worldOf(3));
  assert.deepEqual(told, [[1, 2]]);
});

test('SIGHUP that comes before anybody listens is not lost', async () => {
  const before = process.listenerCount('SIGHUP');
  {
    using hangups = new Hangups();
    const came = new Promise((resolve) => process.once('SIGHUP', resolve));
    process.kill(process.pid, 'SIGHUP');
    await came;
    let heard = 0;
    hangups.listen(() => (heard += 1));
    assert.equal(heard, 1);
    hangups.listen(undefined);
  }
  assert.equal(process.listenerCount('SIGHUP'), before);
});
