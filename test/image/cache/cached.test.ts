import assert from 'node:assert/strict';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { readdir, readFile, truncate, utimes, writeFile, chmod } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { digestOf, hexOf, type Digest } from '../../../src/core/digest.ts';
import { RegistryError } from '../../../src/core/errors.ts';
import type { Blob, Source } from '../../../src/core/source.ts';
import { contentCache } from '../../../src/image/cache/cached.ts';
import type { CacheEvent } from '../../../src/image/cache/cache-options.ts';
import { collect, collectPoured, pattern } from '../../fixtures/collect.ts';
import { MemorySource } from '../../fixtures/memory-source.ts';
import { temporaryFolder } from '../../fixtures/temporary.ts';
import { putImage, REPOSITORY } from '../image-world.ts';

const SIZE = 1_500_000;

async function world(options: { maxSize?: number; minFree?: number; inside?: string } = {}) {
  const stack = new AsyncDisposableStack();
  const folder = path.join(stack.use(await temporaryFolder()).path, options.inside ?? '');
  const events: CacheEvent[] = [];
  const source = new MemorySource();
  const open = () =>
    stack.use(
      contentCache({
        folder,
        maxSize: options.maxSize ?? 2 ** 40,
        minFree: options.minFree ?? 0,
        observe: (event) => events.push(event),
      }),
    );
  const cache = open();
  const cached = cache.over(source);
  const blobs = (): number => source.calls.filter((call) => call.startsWith('blob')).length;
  const file = (digest: Digest): string => path.join(folder, 'blobs', 'sha256', hexOf(digest));
  return {
    folder,
    events,
    source,
    cache,
    cached,
    blobs,
    file,
    open,
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

async function read(blob: Promise<Blob>): Promise<Buffer> {
  await using opened = await blob;
  return await (opened.pour === undefined ? collect(opened.body) : collectPoured(opened));
}

test('what was read once is read from this disk, by the next process too', async () => {
  await using world_ = await world();
  const { source, cached, cache, open, blobs } = world_;
  const bytes = pattern(SIZE);
  const digest = source.putBlob(REPOSITORY, bytes);
  assert.ok((await read(cached.blob(REPOSITORY, digest))).equals(bytes));
  await cache[Symbol.asyncDispose]();
  assert.equal(blobs(), 1);
  const later = open().over(source);
  await using blob = await later.blob(REPOSITORY, digest);
  assert.equal(blob.local, SIZE);
  assert.ok((await collect(blob.body)).equals(bytes));
  assert.equal((await later.stat(REPOSITORY, digest)).size, SIZE);
  const part = await read(later.blob(REPOSITORY, digest, { from: 10, to: 19 }));
  assert.ok(part.equals(bytes.subarray(10, 20)));
  assert.equal(blobs(), 1);
});

test('a part of what is not there comes from the source and stays there', async () => {
  await using it = await world();
  const bytes = pattern(SIZE);
  const digest = it.source.putBlob(REPOSITORY, bytes);
  const part = await read(it.cached.blob(REPOSITORY, digest, { last: 100 }));
  assert.ok(part.equals(bytes.subarray(-100)));
  await assert.rejects(readFile(it.file(digest)));
});

test('many who read one blob at once ask for it once', async () => {
  await using it = await world();
  const bytes = pattern(SIZE);
  const digest = it.source.putBlob(REPOSITORY, bytes);
  const all = await Promise.all(
    Array.from({ length: 6 }, () => read(it.cached.blob(REPOSITORY, digest))),
  );
  for (const one of all) assert.ok(one.equals(bytes));
  assert.equal(it.blobs(), 1);
});

test('manifests by digest are asked for once, by tag every time', async () => {
  await using it = await world();
  const { manifest } = putImage(it.source, { tags: ['v1'] });
  const { digest } = manifest.descriptor;
  for (const _ of [1, 2]) {
    const got = await it.cached.manifest(REPOSITORY, digest);
    assert.ok(Buffer.from(got.bytes).equals(manifest.bytes));
    assert.equal(got.descriptor.mediaType, manifest.descriptor.mediaType);
  }
  assert.equal(it.source.calls.length, 1);
  await writeFile(it.file(digest), 'rubbish').catch(() => {});
  await chmod(it.file(digest), 0o644);
  await writeFile(it.file(digest), Buffer.alloc(manifest.bytes.length, 32));
  assert.ok(
    Buffer.from((await it.cached.manifest(REPOSITORY, digest)).bytes).equals(manifest.bytes),
  );
  assert.equal(it.source.calls.length, 2);
});

test('other bytes than the digest says never enter', async () => {
  await using it = await world();
  const digest = it.source.putBlob(REPOSITORY, pattern(SIZE));
  const lie = digestOf(Buffer.from('another'));
  const honest = it.source.blob.bind(it.source);
  it.source.blob = (repository, _, range) => honest(repository, digest, range);
  await assert.rejects(read(it.cached.blob(REPOSITORY, lie)), RegistryError);
  await assert.rejects(readFile(it.file(lie)));
  assert.equal(it.source.open, 0);
});

test('a body that breaks is gone on with from there', async () => {
  await using it = await world();
  const bytes = pattern(SIZE);
  const digest = it.source.putBlob(REPOSITORY, bytes);
  let cuts = 2;
  let cutAt = 200_000;
  const positions: number[] = [];
  it.source.behave({
    before: (position) => {
      positions.push(position);
      if (position < cutAt || cuts === 0) return;
      cuts -= 1;
      cutAt = position + 300_000;
      throw new RegistryError('UPSTREAM_UNAVAILABLE', 'cut');
    },
  });
  assert.ok((await read(it.cached.blob(REPOSITORY, digest))).equals(bytes));
  assert.equal(positions.filter((position) => position === 0).length, 1);
  assert.equal(cuts, 0);
});

test('a reader that leaves ends the download, which the next one goes on with', async () => {
  await using it = await world();
  const bytes = pattern(SIZE);
  const digest = it.source.putBlob(REPOSITORY, bytes);
  const stand = Promise.withResolvers<void>();
  it.source.behave({ before: (position) => (position > SIZE / 2 ? stand.promise : undefined) });
  const blob = await it.cached.blob(REPOSITORY, digest);
  const iterator = blob.body[Symbol.asyncIterator]();
  await iterator.next();
  await blob[Symbol.asyncDispose]();
  while (it.source.open > 0) await new Promise(setImmediate);
  stand.resolve();
  it.source.behave({});
  await using rest = await it.cached.blob(REPOSITORY, digest);
  assert.ok((rest.local ?? 0) > 0);
  assert.ok((await collect(rest.body)).equals(bytes));
  assert.equal(it.source.open, 0);
});

test('a damaged blob is an error once, and right the next time', async () => {
  await using it = await world();
  const bytes = pattern(SIZE);
  const digest = it.source.putBlob(REPOSITORY, bytes);
  await read(it.cached.blob(REPOSITORY, digest));
  await it.cache[Symbol.asyncDispose]();
  await chmod(it.file(digest), 0o644);
  await writeFile(it.file(digest), pattern(SIZE, 7));
  await assert.rejects(
    read(it.cached.blob(REPOSITORY, digest)),
    (error) => error instanceof RegistryError && error.code === 'DIGEST_INVALID',
  );
  assert.ok((await read(it.cached.blob(REPOSITORY, digest))).equals(bytes));
  assert.deepEqual(it.events, [{ type: 'cache-damaged', digest }]);
});

test('a blob of another size than its manifest says is fetched anew', async () => {
  await using it = await world();
  const { manifest, layers, bytes } = putImage(it.source);
  const [layer] = layers;
  assert.ok(layer);
  await it.cached.manifest(REPOSITORY, manifest.descriptor.digest);
  await read(it.cached.blob(REPOSITORY, layer.digest));
  await it.cache[Symbol.asyncDispose]();
  await chmod(it.file(layer.digest), 0o644);
  await truncate(it.file(layer.digest), 0);
  const again = await read(it.cached.blob(REPOSITORY, layer.digest));
  assert.ok(again.equals(bytes.get(layer.digest) ?? Buffer.alloc(0)));
});

test('what was not used for longest leaves, and who reads it reads on', async () => {
  await using it = await world({ maxSize: 3 * SIZE });
  const digests = [1, 2, 3].map((seed) => it.source.putBlob(REPOSITORY, pattern(SIZE, seed)));
  for (const digest of digests) await read(it.cached.blob(REPOSITORY, digest));
  await it.cache[Symbol.asyncDispose]();
  const [first, second, third] = digests as [Digest, Digest, Digest];
  for (const [index, digest] of digests.entries()) {
    const used = Date.now() / 1000 - 10_000 + index;
    await utimes(it.file(digest), used, used);
  }
  // The first one is used: now it is the second whose turn it is.
  await read(it.cached.blob(REPOSITORY, first));
  await using reading = await it.cached.blob(REPOSITORY, second);
  await utimes(it.file(second), 1, 1);
  const fourth = it.source.putBlob(REPOSITORY, pattern(SIZE, 4));
  await read(it.cached.blob(REPOSITORY, fourth));
  await it.cache[Symbol.asyncDispose]();
  const left = await readdir(path.join(it.folder, 'blobs', 'sha256'));
  assert.deepEqual(left.toSorted(), [hexOf(first), hexOf(fourth)].toSorted());
  assert.ok(!left.includes(hexOf(third)));
  assert.ok((await collect(reading.body)).equals(pattern(SIZE, 2)));
});

test('however many are stored at once, no more stay than there is room for', async () => {
  const size = 50_000;
  for (let round = 0; round < 10; round += 1) {
    await using it = await world({ maxSize: 3 * size });
    const digests = Array.from({ length: 12 }, (_, seed) =>
      it.source.putBlob(REPOSITORY, pattern(size, seed)),
    );
    await Promise.all(digests.map((digest) => read(it.cached.blob(REPOSITORY, digest))));
    await it.cache[Symbol.asyncDispose]();
    const left = await readdir(path.join(it.folder, 'blobs', 'sha256'));
    assert.ok(left.length <= 3, `${left.length} blobs are left`);
  }
});

test('a folder that cannot be written is said once, and everything works without', async () => {
  await using it = await world({ inside: 'file/cache' });
  await writeFile(path.dirname(it.folder), 'in the way');
  const digests = [1, 2].map((seed) => it.source.putBlob(REPOSITORY, pattern(SIZE, seed)));
  const { manifest } = putImage(it.source);
  await it.cached.manifest(REPOSITORY, manifest.descriptor.digest);
  for (const [index, digest] of digests.entries()) {
    assert.ok((await read(it.cached.blob(REPOSITORY, digest))).equals(pattern(SIZE, index + 1)));
  }
  assert.deepEqual(
    it.events.map(({ type }) => type),
    ['cache-unusable'],
  );
  assert.equal(it.source.open, 0);
});

test('where the disk is all but full nothing is kept, and everything works without', async () => {
  await using it = await world({ minFree: 2 ** 60 });
  const bytes = pattern(SIZE);
  const digest = it.source.putBlob(REPOSITORY, bytes);
  const all = await Promise.all([1, 2, 3].map(() => read(it.cached.blob(REPOSITORY, digest))));
  for (const one of all) assert.ok(one.equals(bytes));
  await it.cache[Symbol.asyncDispose]();
  assert.deepEqual(
    it.events.map(({ type }) => type),
    ['cache-unusable'],
  );
  const left = await readdir(it.folder, { recursive: true, withFileTypes: true });
  assert.deepEqual(
    left.filter((entry) => entry.isFile()).map(({ name }) => name),
    ['turn'],
  );
});

test('what there is no room for passes by the cache, whose size is known', async () => {
  await using it = await world({ maxSize: 400_000 });
  const { manifest, layers, bytes } = putImage(it.source, { layers: [SIZE, 100_000] });
  await it.cached.manifest(REPOSITORY, manifest.descriptor.digest);
  const [large, small] = layers;
  assert.ok(large && small);
  await using blob = await it.cached.blob(REPOSITORY, large.digest);
  const iterator = blob.body[Symbol.asyncIterator]();
  await iterator.next();
  assert.deepEqual(await readdir(path.join(it.folder, 'partial')), []);
  const again = await read(it.cached.blob(REPOSITORY, large.digest));
  assert.ok(again.equals(bytes.get(large.digest) ?? Buffer.alloc(0)));
  assert.equal(it.blobs(), 2);
  await read(it.cached.blob(REPOSITORY, small.digest));
  await it.cache[Symbol.asyncDispose]();
  await readFile(it.file(small.digest));
  await assert.rejects(readFile(it.file(large.digest)));
});

test('what passes by the cache is checked all the same', async () => {
  await using it = await world({ maxSize: 400_000 });
  const { manifest, layers } = putImage(it.source, { layers: [SIZE] });
  await it.cached.manifest(REPOSITORY, manifest.descriptor.digest);
  const other = it.source.putBlob(REPOSITORY, pattern(SIZE, 7));
  const honest = it.source.blob.bind(it.source);
  it.source.blob = (repository, _, range) => honest(repository, other, range);
  const reading = read(it.cached.blob(REPOSITORY, layers[0]?.digest ?? other));
  await assert.rejects(reading, { code: 'UPSTREAM_INVALID' });
});

test('a large blob is hashed without a thread of its own, for the sake of memory', async () => {
  await using it = await world();
  const bytes = pattern(12 * 1024 * 1024);
  const digest = it.source.putBlob(REPOSITORY, bytes);
  let threads = 0;
  const onThread = (): void => void (threads += 1);
  subscribe('worker_threads', onThread);
  try {
    assert.ok((await read(it.cached.blob(REPOSITORY, digest))).equals(bytes));
  } finally {
    unsubscribe('worker_threads', onThread);
  }
  assert.equal(threads, 0);
});

test('disposal ends what is under way', async () => {
  await using it = await world();
  const digest = it.source.putBlob(REPOSITORY, pattern(SIZE));
  const stand = Promise.withResolvers<void>();
  it.source.behave({
    before: async (position) => {
      if (position < SIZE / 2) return;
      await stand.promise;
      throw new RegistryError('UPSTREAM_UNAVAILABLE', 'cut');
    },
  });
  const reading = read(it.cached.blob(REPOSITORY, digest));
  const failed = assert.rejects(reading, RegistryError);
  while (it.source.open === 0) await new Promise(setImmediate);
  const disposed = it.cache[Symbol.asyncDispose]();
  stand.resolve();
  await disposed;
  await failed;
  assert.equal(it.source.open, 0);
  assert.deepEqual(await readdir(path.join(it.folder, 'owners')), []);
});

/** Reads the parts one after the other. */
async function inParts(
  source: Source,
  digest: Digest,
  ...ends: readonly number[]
): Promise<Buffer> {
  const parts: Buffer[] = [];
  let from = 0;
  for (const to of ends) {
    await using part = await source.blob(REPOSITORY, digest, { from, to: to - 1 });
    parts.push(await collect(part.body));
    from = to;
  }
  return Buffer.concat(parts);
}

test('what was read part by part, to the end, is kept as well', async () => {
  await using world_ = await world();
  const { source, cached, cache, open, blobs, file } = world_;
  const bytes = pattern(SIZE);
  const digest = source.putBlob(REPOSITORY, bytes);
  assert.ok((await inParts(cached, digest, 65_536, 200_000, SIZE)).equals(bytes));
  assert.equal(blobs(), 3);
  assert.ok((await readFile(file(digest))).equals(bytes));
  await cache[Symbol.asyncDispose]();
  const later = open().over(source);
  assert.ok((await inParts(later, digest, 10, SIZE)).equals(bytes));
  assert.equal(blobs(), 3);
});

test('parts that leave something out are not; what has come is gone on with', async () => {
  await using world_ = await world();
  const { source, cached, cache, open, file } = world_;
  const bytes = pattern(SIZE);
  const digest = source.putBlob(REPOSITORY, bytes);
  await inParts(cached, digest, 1_000_000);
  await read(cached.blob(REPOSITORY, digest, { from: 1_200_000, to: SIZE - 1 }));
  await assert.rejects(readFile(file(digest)));
  await cache[Symbol.asyncDispose]();
  const positions: number[] = [];
  source.behave({ before: (position) => void positions.push(position) });
  const later = open();
  assert.ok((await read(later.over(source).blob(REPOSITORY, digest))).equals(bytes));
  await later[Symbol.asyncDispose]();
  assert.equal(positions[0], 1_000_000);
});

test('readers of the same parts at the same time get theirs, and one of them is kept', async () => {
  await using world_ = await world();
  const { source, cached, file } = world_;
  const bytes = pattern(SIZE);
  const digest = source.putBlob(REPOSITORY, bytes);
  const ends = Array.from({ length: 15 }, (_, at) => (at + 1) * 100_000);
  const both = await Promise.all([
    inParts(cached, digest, ...ends),
    inParts(cached, digest, ...ends),
    inParts(cached, digest, 70_000, SIZE),
  ]);
  for (const one of both) assert.ok(one.equals(bytes));
  assert.ok((await readFile(file(digest))).equals(bytes));
});

test('wrong bytes in parts are not kept, nor is what there is no room for', async () => {
  await using world_ = await world();
  const { source, cached, file } = world_;
  const digest = digestOf(pattern(SIZE));
  const wrong = pattern(SIZE, 9);
  const other = source.putBlob(REPOSITORY, wrong);
  const honest = source.blob.bind(source);
  source.blob = (repository, _, range) => honest(repository, other, range);
  assert.ok((await inParts(cached, digest, 65_536, SIZE)).equals(wrong));
  await assert.rejects(readFile(file(digest)));
  await using small = await world({ maxSize: 1000 });
  small.source.putBlob(REPOSITORY, wrong);
  assert.ok((await inParts(small.cached, other, 65_536, SIZE)).equals(wrong));
  await assert.rejects(readFile(small.file(other)));
});
