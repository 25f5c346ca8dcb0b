import assert from 'node:assert/strict';
import { test } from 'node:test';
import { digestOf, type Digest } from '../../../src/core/digest.ts';
import { RegistryError } from '../../../src/core/errors.ts';
import { parsePlatform } from '../../../src/core/platform.ts';
import { parsePath, parseTag, type Repository, type Tag } from '../../../src/core/reference.ts';
import type { ServedResult } from '../../../src/core/served.ts';
import { MEDIA_TYPES } from '../../../src/core/media-type.ts';
import { contentCache } from '../../../src/image/cache/cached.ts';
import { copy, type CopyOptions } from '../../../src/image/copy/copy.ts';
import type { CopyEvent } from '../../../src/image/copy/event.ts';
import { MemorySink } from '../../fixtures/memory-sink.ts';
import { MemorySource } from '../../fixtures/memory-source.ts';
import { temporaryFolder } from '../../fixtures/temporary.ts';
import { putImage, putIndex, REPOSITORY } from '../image-world.ts';

const TARGET: Repository = { host: 'target.test', path: parsePath('mine/app') };
const LATEST = parseTag('latest');
const platform = (architecture: string) => ({ platform: { os: 'linux', architecture } });

function world() {
  const source = new MemorySource();
  const sink = new MemorySink();
  const events: CopyEvent[] = [];
  const passage = (
    at: Tag | Digest = LATEST,
    to: Repository = TARGET,
    name: Tag | Digest = at,
  ) => ({
    source,
    repository: REPOSITORY,
    at,
    to: { repository: to, at: name },
  });
  const run = (options: Partial<CopyOptions> = {}) =>
    copy({
      images: [passage()],
      sink,
      selection: { kind: 'all' },
      observe: (event) => events.push(event),
      ...options,
    });
  return { source, sink, events, passage, run };
}

test('an image goes over whole: blobs, then the manifest under its name', async () => {
  const { source, sink, run, events } = world();
  const { manifest, layers, config } = putImage(source, { tags: ['latest'] });
  const copied = await run();
  assert.equal(sink.tags.get('target.test/mine/app:latest'), manifest.descriptor.digest);
  for (const { digest } of [config, ...layers]) assert.ok(sink.has(TARGET, digest));
  assert.match(sink.calls.at(-1) ?? '', /^manifest/);
  assert.deepEqual(copied.images, [{ descriptor: manifest.descriptor }]);
  const size = [config, ...layers].reduce((sum, one) => sum + one.size, 0);
  assert.equal(copied.bytes.upstream, size);
  assert.equal(copied.blobs.upstream, 3);
  const done = events.filter(({ type }) => type === 'blob-done');
  assert.equal(done.length, 3);
  assert.equal(source.open, 0);
});

test('what is there is not read again', async () => {
  const { source, run } = world();
  putImage(source, { tags: ['latest'] });
  await run();
  const before = source.calls.length;
  const again = await run();
  assert.equal(again.blobs.present, 3);
  assert.equal(again.bytes.upstream, 0);
  assert.ok(!source.calls.slice(before).some((call) => call.startsWith('blob')));
});

test('an index goes over with everything in it, children first, nested ones too', async () => {
  const { source, sink, run } = world();
  const [a, b, c] = ['amd64', 'arm64', 's390x'].map((architecture, seed) =>
    putImage(source, { ...platform(architecture), seed }),
  );
  assert.ok(a && b && c);
  const inner = putIndex(source, [[b.manifest], [c.manifest]]);
  const outer = putIndex(source, [[a.manifest, platform('amd64')], [inner]], ['latest']);
  await run();
  assert.equal(sink.tags.get('target.test/mine/app:latest'), outer.descriptor.digest);
  assert.equal(sink.manifests.length, 5);
});

test('of an index one image goes over under the name', async () => {
  const { source, sink, run } = world();
  const images = ['amd64', 's390x'].map((architecture, seed) =>
    putImage(source, { ...platform(architecture), seed }),
  );
  putIndex(
    source,
    images.map(({ manifest }, index) => [manifest, platform(['amd64', 's390x'][index] ?? '')]),
    ['latest'],
  );
  const copied = await run({ selection: { kind: 'one', platform: parsePlatform('s390x') } });
  const digest = images[1]?.manifest.descriptor.digest;
  assert.equal(sink.tags.get('target.test/mine/app:latest'), digest);
  assert.deepEqual(copied.images[0]?.platform, { os: 'linux', architecture: 's390x' });
  assert.equal(sink.manifests.length, 1);
});

test('of an index some images go over by digest, and the index only as it is', async () => {
  const names = ['amd64', 'arm64', 's390x'];
  const { source, sink, run } = world();
  const images = names.map((architecture, seed) =>
    putImage(source, { ...platform(architecture), seed }),
  );
  const index = putIndex(
    source,
    images.map(({ manifest }, at) => [manifest, platform(names[at] ?? '')]),
    ['latest'],
  );
  const platforms = ['amd64', 's390x'].map(parsePlatform);
  await run({ selection: { kind: 'some', platforms, index: 'left-out' } });
  assert.deepEqual(
    sink.manifests,
    [0, 2].map((at) => `manifest target.test/mine/app ${images[at]?.manifest.descriptor.digest}`),
  );
  assert.equal(sink.tags.size, 0);
  sink.sparse = true;
  await run({ selection: { kind: 'some', platforms, index: 'sparse' } });
  assert.equal(sink.tags.get('target.test/mine/app:latest'), index.descriptor.digest);
});

test('referrers come along when they are wanted, and theirs', async () => {
  const { source, sink, run } = world();
  const { manifest } = putImage(source, { tags: ['latest'] });
  const signature = putImage(source, {
    seed: 5,
    layers: [10],
    subject: manifest.descriptor,
  }).manifest;
  const timestamp = putImage(source, {
    seed: 6,
    layers: [10],
    subject: signature.descriptor,
  }).manifest;
  await run();
  assert.equal(sink.manifests.length, 1);
  await run({ referrers: 'copied' });
  assert.deepEqual(
    sink.manifests.slice(-2).map((call) => call.split(' ').at(-1)),
    [signature.descriptor.digest, timestamp.descriptor.digest],
  );
});

test('images that share blobs bring them once, and names come in order', async () => {
  for (const parallel of [1, 2, 4]) {
    const { source, sink, passage, run } = world();
    const one = putImage(source, { tags: ['one'], layers: [500_000, 5], seed: 1 });
    const config = { ...one.config };
    const shared = source.putManifest(
      REPOSITORY,
      {
        schemaVersion: 2,
        mediaType: MEDIA_TYPES.ociManifest,
        config,
        layers: [one.layers[0], one.layers[0]],
      },
      'two',
    );
    const elsewhere: Repository = { host: 'target.test', path: parsePath('other') };
    const copied = await run({
      images: [
        passage(parseTag('one')),
        passage(parseTag('two')),
        passage(parseTag('one'), elsewhere),
      ],
      parallel,
    });
    assert.equal(sink.written.length, 3);
    assert.deepEqual([copied.blobs.mounted, copied.blobs.present], [3, 0]);
    assert.deepEqual(
      sink.manifests.map((call) => call.split(' ').slice(1).join(' ')),
      ['target.test/mine/app one', 'target.test/mine/app two', 'target.test/other one'],
    );
    assert.equal(sink.tags.get('target.test/mine/app:two'), shared.descriptor.digest);
  }
});

test('within a registry blobs are mounted from where they are', async () => {
  const { source, sink, run, passage } = world();
  putImage(source, { tags: ['latest'] });
  const near: Repository = { host: REPOSITORY.host, path: parsePath('copy') };
  await run({ images: [passage(LATEST, near)] });
  assert.deepEqual(
    sink.mounts,
    Array.from({ length: 3 }, () => 'registry.test/team/app'),
  );
  sink.mounts.length = 0;
  await run();
  assert.deepEqual(sink.mounts, [undefined, undefined, undefined]);
});

test('so many blobs at a time, and no more', async () => {
  const { source, sink, run } = world();
  putImage(source, { tags: ['latest'], layers: Array.from({ length: 12 }, (_, at) => 1000 + at) });
  sink.fault = () => new Promise((resolve) => setTimeout(resolve, 2));
  await run({ parallel: 3 });
  assert.equal(sink.mostRunning, 3);
});

test('layers that may not be handed on', async (t) => {
  const foreign = {
    mediaType: 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip',
    digest: digestOf(Buffer.from('w')),
    size: 1,
  };
  const put = (source: MemorySource) => {
    const { config, layers } = putImage(source);
    source.putManifest(
      REPOSITORY,
      {
        schemaVersion: 2,
        mediaType: MEDIA_TYPES.ociManifest,
        config,
        layers: [foreign, ...layers],
      },
      'latest',
    );
  };
  await t.test('stay where they are', async () => {
    const { source, run } = world();
    put(source);
    assert.equal((await run()).leftOut, 1);
    assert.ok(!source.calls.some((call) => call.includes(foreign.digest)));
  });
  await t.test('are fetched where they are there', async () => {
    const { source, sink, run } = world();
    put(source);
    assert.equal((await run({ foreign: 'if-there' })).leftOut, 1);
    source.putBlob(REPOSITORY, Buffer.from('w'));
    assert.equal((await run({ foreign: 'if-there' })).leftOut, 0);
    assert.ok(sink.has(TARGET, foreign.digest));
  });
  await t.test('are missed where they are content like any other', async () => {
    const { source, run } = world();
    put(source);
    await assert.rejects(
      run({ foreign: 'copied' }),
      (error) => error instanceof RegistryError && error.code === 'BLOB_UNKNOWN',
    );
  });
});

const origins: readonly [ServedResult | undefined, string][] = [
  [undefined, 'upstream'],
  ['hit', 'mirror-hit'],
  ['stale', 'mirror-hit'],
  ['miss', 'mirror-filled'],
  ['joined', 'mirror-filled'],
  ['bypass', 'mirror'],
];
for (const [result, origin] of origins) {
  test(`what is served as ${result ?? 'nothing special'} is from ${origin}`, async () => {
    const { source, run } = world();
    putImage(source, { tags: ['latest'] });
    source.served = result && { result };
    const { bytes } = await run();
    assert.deepEqual(
      Object.entries(bytes)
        .filter(([, count]) => count > 0)
        .map(([name]) => name),
      [origin],
    );
  });
}

test('through a cache the second run reads nothing from the source, and a damaged blob is mended', async () => {
  await using folder = await temporaryFolder();
  const { source, sink, run, passage } = world();
  const { config, layers } = putImage(source, { tags: ['latest'] });
  const size = [config, ...layers].reduce((sum, one) => sum + one.size, 0);
  await using cache = contentCache({ folder: folder.path, maxSize: 2 ** 40 });
  const images = [{ ...passage(), source: cache.over(source) }];
  assert.equal((await run({ images })).bytes.upstream, size);
  const other = new MemorySink();
  const second = await run({ images, sink: other });
  assert.deepEqual([second.bytes.cache, second.bytes.upstream], [size, 0]);
  assert.equal(second.blobs.cache, 3);
  const [layer] = layers;
  assert.ok(layer);
  const { chmod, writeFile } = await import('node:fs/promises');
  const name = `${folder.path}/blobs/sha256/${layer.digest.slice(7)}`;
  await chmod(name, 0o644);
  await writeFile(name, Buffer.alloc(layer.size));
  const third = await run({ images, sink: new MemorySink() });
  assert.equal(third.bytes.upstream, layer.size);
  assert.ok(sink.has(TARGET, layer.digest));
});
