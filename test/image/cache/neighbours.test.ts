import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { setImmediate as turn, setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { digestOf, hexOf } from '../../../src/core/digest.ts';
import { RegistryError } from '../../../src/core/errors.ts';
import { parsePath, type Repository } from '../../../src/core/reference.ts';
import type { Blob } from '../../../src/core/source.ts';
import { contentCache } from '../../../src/image/cache/cached.ts';
import { copy } from '../../../src/image/copy/copy.ts';
import type { CopyEvent } from '../../../src/image/copy/event.ts';
import { collect, collectPoured, pattern } from '../../fixtures/collect.ts';
import { gate, type Gate } from '../../fixtures/gate.ts';
import { MemorySink } from '../../fixtures/memory-sink.ts';
import { MemorySource } from '../../fixtures/memory-source.ts';
import { startRegistry } from '../../fixtures/registry.ts';
import { temporaryFolder } from '../../fixtures/temporary.ts';
import { putImage, REPOSITORY } from '../image-world.ts';
import { CROWD, type Crowd } from './crowd-told.ts';
import { fetcher } from './fetcher.ts';

const CHUNK = 64 * 1024;
const SIZE = 24 * CHUNK;
const HANG = 8 * CHUNK;
const BYTES = pattern(SIZE);
const DIGEST = digestOf(BYTES);

/** So long that a test that waited for its end would fail. */
const NEVER = 2 ** 30;

interface Place {
  readonly source: MemorySource;
  readonly cache: ReturnType<typeof contentCache>;
  /** Where the chunks began that were asked of its source. */
  readonly positions: number[];
  readonly blob: () => Promise<Blob>;
}

interface PlaceOptions {
  readonly patience?: number;
  readonly maxSize?: number;
  /** The source stops before this byte until the gate opens. */
  readonly hangAt?: number;
  readonly gate?: Gate;
  readonly bytes?: Buffer;
  readonly repository?: Repository;
}

/** A folder, and caches in it that know of each other what processes do. */
async function world() {
  const stack = new AsyncDisposableStack();
  const folder = stack.use(await temporaryFolder()).path;
  const place = (options: PlaceOptions = {}): Place => {
    const { patience = NEVER, maxSize = 2 ** 40, hangAt, bytes = BYTES } = options;
    const { repository = REPOSITORY } = options;
    const source = new MemorySource();
    const digest = source.putBlob(repository, bytes);
    const honest = source.blob.bind(source);
    source.blob = (asked, _, range) => honest(asked, digest, range);
    const positions: number[] = [];
    source.behave({
      before: async (position) => {
        positions.push(position);
        if (position === hangAt) await options.gate?.opened;
      },
    });
    const cache = stack.use(contentCache({ folder, maxSize, minFree: 0, patience }));
    const cached = cache.over(source);
    return { source, cache, positions, blob: () => cached.blob(repository, DIGEST) };
  };
  const partials = () => readdir(path.join(folder, 'partial'));
  return { folder, place, partials, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

/** Reads on until that many bytes have come, and hands over what reads the rest. */
async function begun(opened: Blob, bytes: number) {
  const iterator = opened.body[Symbol.asyncIterator]();
  const chunks: Uint8Array[] = [];
  for (let come = 0; come < bytes;) {
    const next = await iterator.next();
    assert.ok(next.done !== true);
    chunks.push(next.value);
    come += next.value.length;
  }
  return async (): Promise<Buffer> => {
    for (let next = await iterator.next(); next.done !== true; next = await iterator.next()) {
      chunks.push(next.value);
    }
    return Buffer.concat(chunks);
  };
}

for (const processes of [2, 4]) {
  test(`${processes} processes that want a blob at once ask for it once`, async () => {
    await using folder = await temporaryFolder();
    await using stack = new AsyncDisposableStack();
    const children = Array.from({ length: processes }, () =>
      stack.use(fetcher({ folder: folder.path, size: SIZE, hangAt: 0, patience: NEVER })),
    );
    await Promise.all(children.map((child) => child.told('local')));
    for (const { process } of children) process.send('go on');
    const done = await Promise.all(children.map((child) => child.told('done')));
    for (const { digest } of done) assert.equal(digest, DIGEST);
    assert.equal(done.flatMap(({ positions }) => positions).length, SIZE / CHUNK);
    const shared = done.map((one) => one.shared).toSorted((a, b) => a - b);
    assert.deepEqual(shared, [0, ...Array.from({ length: processes - 1 }, () => SIZE)]);
  });
}

test('eight at the same moment: one asks, and the others follow it', async () => {
  for (let round = 0; round < 5; round += 1) {
    await using it = await world();
    const places = Array.from({ length: 8 }, () => it.place());
    const read = async ({ blob }: Place): Promise<Buffer> => {
      await using opened = await blob();
      return await collect(opened.body);
    };
    for (const bytes of await Promise.all(places.map(read))) assert.ok(bytes.equals(BYTES));
    assert.equal(places.flatMap(({ positions }) => positions).length, SIZE / CHUNK);
  }
});

test('whatever processes begin in the same moment, each blob is asked for once', async () => {
  await using folder = await temporaryFolder();
  const script = fileURLToPath(new URL('crowd.ts', import.meta.url));
  const children = [1, 2, 3, 4].map(() =>
    fork(script, [folder.path], { execArgv: ['--disable-warning=ExperimentalWarning'] }),
  );
  try {
    await Promise.all(children.map((child) => once(child, 'message')));
    const ends = children.map((child) => once(child, 'message'));
    for (const child of children) child.send('begin');
    const asked = (await Promise.all(ends)).map(([told]) => told as Crowd);
    assert.equal(asked.flatMap(({ digests }) => digests).length, CROWD);
    assert.equal(new Set(asked.flatMap(({ digests }) => digests)).size, CROWD);
  } finally {
    for (const child of children) child.kill('SIGKILL');
  }
});

test('what another process fetches is read as it comes', async () => {
  await using it = await world();
  const hung = gate();
  const owner = it.place({ hangAt: HANG, gate: hung });
  await using first = await owner.blob();
  const restOfFirst = await begun(first, HANG);
  const other = it.place();
  await using blob = await other.blob();
  const rest = await begun(blob, HANG);
  assert.deepEqual(blob.shared?.(), { bytes: HANG });
  hung.open();
  assert.ok((await rest()).equals(BYTES));
  assert.ok((await restOfFirst()).equals(BYTES));
  assert.deepEqual(other.positions, []);
  assert.equal(blob.shared?.().bytes, SIZE);
});

test('by way of buffers, too, and after the owner has ended and the blob was evicted', async () => {
  await using it = await world();
  const hung = gate();
  const owner = it.place({ hangAt: HANG, gate: hung });
  await using first = await owner.blob();
  const other = it.place();
  await using blob = await other.blob();
  hung.open();
  assert.ok((await collect(first.body)).equals(BYTES));
  await first[Symbol.asyncDispose]();
  await owner.cache[Symbol.asyncDispose]();
  await rm(path.join(it.folder, 'blobs', 'sha256', hexOf(DIGEST)));
  assert.ok((await collectPoured(blob)).equals(BYTES));
  assert.deepEqual(other.positions, []);
});

test('an owner that is killed at any moment: what it had is gone on with', async () => {
  for (let round = 0; round < 6; round += 1) {
    await using folder = await temporaryFolder();
    await using registry = await startRegistry();
    registry.addBlob(BYTES, REPOSITORY.path);
    const content = { method: 'GET', path: /\/blobs\// };
    const held = gate();
    const at = round === 0 ? 0 : randomInt(1, SIZE);
    const undo = registry.misbehave(content, { kind: 'hold-body', at, gate: held });
    const flags = {
      folder: folder.path,
      host: registry.host,
      digest: DIGEST,
      patience: NEVER,
    };
    await using owner = fetcher(flags);
    await registry.seen(content);
    await using other = fetcher(flags);
    const both = [owner, other].map((child) =>
      at === 0 ? child.told('local') : child.told('read', (read) => read >= at),
    );
    // With no byte there is one of them that has nothing to tell.
    await (at === 0 ? Promise.race(both) : Promise.all(both));
    undo();
    await owner.kill();
    const done = await other.told('done');
    assert.equal(done.digest, DIGEST);
    assert.equal(done.shared, at);
    const [, again, ...more] = registry.matching(content);
    assert.deepEqual(more, []);
    assert.equal(again?.headers['range'], at === 0 ? undefined : `bytes=${at}-`);
    assert.equal(again?.bytesSent, SIZE - at);
    held.open();
  }
});

test('four follow one that is killed: one of them goes on, the others follow that one', async () => {
  await using folder = await temporaryFolder();
  await using registry = await startRegistry();
  registry.addBlob(BYTES, REPOSITORY.path);
  const content = { method: 'GET', path: /\/blobs\// };
  const held = gate();
  const undo = registry.misbehave(content, { kind: 'hold-body', at: HANG, gate: held });
  const flags = { folder: folder.path, host: registry.host, digest: DIGEST, patience: NEVER };
  await using owner = fetcher(flags);
  await registry.seen(content);
  await using stack = new AsyncDisposableStack();
  const others = [1, 2, 3, 4].map(() => stack.use(fetcher(flags)));
  for (const child of [owner, ...others]) await child.told('read', (read) => read === HANG);
  undo();
  await owner.kill();
  for (const child of others) assert.equal((await child.told('done')).digest, DIGEST);
  assert.equal(registry.bytesSent(content), SIZE);
  held.open();
});

test('an owner that stands still is waited for so long, and its bytes are not asked for again', async () => {
  await using folder = await temporaryFolder();
  await using registry = await startRegistry();
  registry.addBlob(BYTES, REPOSITORY.path);
  const content = { method: 'GET', path: /\/blobs\// };
  const held = gate();
  const undo = registry.misbehave(content, { kind: 'hold-body', at: HANG, gate: held });
  const flags = { folder: folder.path, host: registry.host, digest: DIGEST, patience: 300 };
  await using owner = fetcher(flags);
  await owner.told('read', (read) => read === HANG);
  owner.process.kill('SIGSTOP');
  undo();
  await using stack = new AsyncDisposableStack();
  const others = [1, 2].map(() => stack.use(fetcher(flags)));
  for (const child of others) assert.equal((await child.told('done')).digest, DIGEST);
  assert.deepEqual(
    registry.matching(content).map(({ headers }) => headers['range']),
    [undefined, `bytes=${HANG}-`],
  );
  owner.process.kill('SIGCONT');
  held.open();
  assert.equal((await owner.told('done')).digest, DIGEST);
  await once(owner.process, 'exit');
  assert.deepEqual(await readdir(path.join(folder.path, 'partial')), []);
});

test('an owner that hardly gets on: who followed it goes on from there', async () => {
  await using it = await world();
  const owner = it.place();
  let crawling = true;
  owner.source.behave({
    chunk: 64,
    before: async (position) => {
      if (position < HANG) return;
      if (!crawling) throw new RegistryError('UPSTREAM_UNAVAILABLE', 'it was closed');
      await delay(20);
    },
  });
  const first = await owner.blob();
  await begun(first, HANG);
  const other = it.place({ patience: 300 });
  await using blob = await other.blob();
  const bytes = await Promise.race([collect(blob.body), delay(5000, undefined, { ref: false })]);
  crawling = false;
  await first[Symbol.asyncDispose]();
  assert.ok(bytes?.equals(BYTES));
  assert.ok((other.positions[0] ?? 0) >= HANG);
});

test('an owner that gives it up, and lives: another one goes on from there', async () => {
  await using it = await world();
  const hung = gate();
  const owner = it.place();
  owner.source.behave({
    before: async (position) => {
      if (position < HANG) return;
      await hung.opened;
      throw new RegistryError('UPSTREAM_UNAVAILABLE', 'it was closed');
    },
  });
  const first = await owner.blob();
  await begun(first, HANG);
  const other = it.place();
  await using blob = await other.blob();
  const rest = await begun(blob, HANG);
  await first[Symbol.asyncDispose]();
  hung.open();
  assert.ok((await rest()).equals(BYTES));
  assert.equal(other.positions[0], HANG);
});

test('an owner that is refused: each asks for itself', async () => {
  await using it = await world();
  const asked = gate();
  const owner = it.place();
  owner.source.fault = async () => {
    await asked.opened;
    throw new RegistryError('DENIED', 'no');
  };
  const refused = assert.rejects(owner.blob(), { code: 'DENIED' });
  while ((await it.partials().catch(() => [])).length === 0) await turn();
  const other = it.place();
  await using blob = await other.blob();
  asked.open();
  assert.ok((await collect(blob.body)).equals(BYTES));
  await refused;
  assert.equal(other.positions[0], 0);
});

test('an owner that has no room: nobody waits for it', async () => {
  await using it = await world();
  const hung = gate();
  const answered = gate();
  const owner = it.place({ maxSize: SIZE - 1, hangAt: 0, gate: hung });
  owner.source.fault = () => answered.opened;
  const opened = owner.blob();
  while ((await it.partials().catch(() => [])).length === 0) await turn();
  const other = it.place();
  await using blob = await other.blob();
  answered.open();
  assert.ok((await collect(blob.body)).equals(BYTES));
  hung.open();
  await using first = await opened;
  assert.ok((await collect(first.body)).equals(BYTES));
});

test('an owner that is sent something else: who follows it fails with it, and is right the next time', async () => {
  await using it = await world();
  const hung = gate();
  const wrong = pattern(SIZE, 9);
  const owner = it.place({ hangAt: HANG, gate: hung, bytes: wrong });
  await using first = await owner.blob();
  const restOfFirst = await begun(first, HANG);
  const other = it.place();
  await using blob = await other.blob();
  const rest = await begun(blob, HANG);
  hung.open();
  await Promise.all([
    assert.rejects(restOfFirst(), RegistryError),
    assert.rejects(rest(), { code: 'DIGEST_INVALID' }),
  ]);
  await using right = await other.blob();
  assert.ok((await collect(right.body)).equals(BYTES));
});

for (const [what, repository] of [
  ['registry', { ...REPOSITORY, host: 'other.test' }],
  ['repository', { ...REPOSITORY, path: parsePath('other/app') }],
] as const) {
  test(`what another ${what} sends wrong is no concern of this one's`, async () => {
    await using it = await world();
    const hung = gate();
    const bytes = pattern(SIZE, 9);
    const owner = it.place({ hangAt: HANG, gate: hung, bytes, repository });
    await using first = await owner.blob();
    const restOfFirst = await begun(first, HANG);
    const other = it.place();
    await using blob = await other.blob();
    const rest = await begun(blob, HANG);
    hung.open();
    const [theirs, ours] = await Promise.allSettled([restOfFirst(), rest()]);
    assert.equal(theirs.status, 'rejected');
    assert.ok(ours.status === 'fulfilled' && ours.value.equals(BYTES));
    assert.equal(other.positions.length, SIZE / CHUNK);
  });

  test(`nor is what one has left behind that was sent it by another ${what}`, async () => {
    await using it = await world();
    const hung = gate();
    const owner = it.place({ bytes: pattern(SIZE, 9), repository });
    owner.source.behave({
      before: async (position) => {
        if (position < HANG) return;
        await hung.opened;
        throw new RegistryError('UPSTREAM_UNAVAILABLE', 'it was closed');
      },
    });
    const first = await owner.blob();
    await begun(first, HANG);
    await first[Symbol.asyncDispose]();
    hung.open();
    await owner.cache[Symbol.asyncDispose]();
    assert.equal((await it.partials()).length, 1);
    const other = it.place();
    await using blob = await other.blob();
    assert.ok((await collect(blob.body)).equals(BYTES));
    assert.equal(other.positions[0], 0);
  });
}

test('one that stands still with something else is no trap', async () => {
  await using it = await world();
  const hung = gate();
  const owner = it.place({ hangAt: HANG, gate: hung, bytes: pattern(SIZE, 9) });
  await using first = await owner.blob();
  await begun(first, HANG);
  const other = it.place({ patience: 200 });
  {
    await using blob = await other.blob();
    await assert.rejects(collect(blob.body), RegistryError);
  }
  await using right = await other.blob();
  assert.ok((await collect(right.body)).equals(BYTES));
  hung.open();
});

test('a copy never fails for what another process was sent, and says where its bytes came from', async () => {
  for (const seed of [1, 9]) {
    await using folder = await temporaryFolder();
    const source = new MemorySource();
    const image = putImage(source, { layers: [SIZE], tags: ['v1'] });
    const [layer] = image.layers;
    assert.ok(layer);
    await using owner = contentCache({ folder: folder.path, maxSize: 2 ** 40, minFree: 0 });
    await using other = contentCache({ folder: folder.path, maxSize: 2 ** 40, minFree: 0 });
    const theirs = new MemorySource();
    const sent = theirs.putBlob(
      REPOSITORY,
      seed === 1 ? (image.bytes.get(layer.digest) ?? BYTES) : pattern(SIZE, seed),
    );
    const honest = theirs.blob.bind(theirs);
    theirs.blob = (repository, _, range) => honest(repository, sent, range);
    const hung = gate();
    theirs.behave({ before: (position) => (position === HANG ? hung.opened : undefined) });
    await using first = await owner.over(theirs).blob(REPOSITORY, layer.digest);
    const rest = await begun(first, HANG);
    const sink = new MemorySink();
    const events: CopyEvent[] = [];
    const copied = await copy({
      images: [
        {
          source: other.over(source),
          repository: REPOSITORY,
          at: image.manifest.descriptor.digest,
          to: { repository: REPOSITORY, at: image.manifest.descriptor.digest },
        },
      ],
      sink,
      selection: { kind: 'all' },
      observe: (event) => {
        events.push(event);
        if (event.type === 'blob-read' && event.from === 'neighbour') hung.open();
      },
    });
    await rest().catch(() => {});
    const asked = copied.bytes.upstream - image.config.size;
    const { bytes, blobs } = copied;
    if (seed === 1) assert.deepEqual([bytes.neighbour, blobs.neighbour, asked], [SIZE, 1, 0]);
    else assert.ok(bytes.neighbour > 0 && asked >= SIZE);
    assert.ok(sink.has(REPOSITORY, layer.digest));
  }
});

test('what is read part by part goes on when somebody wants it: nobody follows it', async () => {
  await using it = await world();
  const owner = it.place();
  const parts = owner.cache.over(owner.source);
  {
    await using part = await parts.blob(REPOSITORY, DIGEST, { from: 0, to: HANG - 1 });
    await collect(part.body);
  }
  const other = it.place();
  await using blob = await other.blob();
  assert.ok((await collect(blob.body)).equals(BYTES));
  assert.equal(other.positions.length, SIZE / CHUNK);
});

test('one that stands still with the turn holds up nobody for long', async () => {
  await using it = await world();
  await mkdir(it.folder, { recursive: true });
  using database = new DatabaseSync(path.join(it.folder, 'turn'));
  database.exec('BEGIN IMMEDIATE');
  await using blob = await it.place().blob();
  assert.ok((await collect(blob.body)).equals(BYTES));
});

test('who leaves while it follows leaves at once', async () => {
  await using it = await world();
  const hung = gate();
  const owner = it.place({ hangAt: HANG, gate: hung });
  await using first = await owner.blob();
  await begun(first, HANG);
  const other = it.place();
  const blob = await other.blob();
  const rest = await begun(blob, HANG);
  const left = assert.rejects(rest());
  await blob[Symbol.asyncDispose]();
  await left;
  hung.open();
});
