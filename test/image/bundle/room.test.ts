import assert from 'node:assert/strict';
import { rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { suite, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { administrationOf } from '../../../src/compose/administration.ts';
import { digestOf, type Digest } from '../../../src/core/digest.ts';
import { MEDIA_TYPES } from '../../../src/core/media-type.ts';
import { parsePlatform } from '../../../src/core/platform.ts';
import { archiveBytes } from '../../../src/image/bundle/archive-bytes.ts';
import { storedDigests } from '../../../src/store/stored.ts';
import { buildImage, type BuiltImage } from '../../fixtures/image-builder.ts';
import { MemorySource } from '../../fixtures/memory-source.ts';
import { temporaryFolder } from '../../fixtures/temporary.ts';
import { failsWith } from '../archive/source-contract.ts';
import { pattern } from '../../fixtures/collect.ts';
import {
  APP,
  committing,
  exported,
  flipped,
  keep,
  openWorld,
  seen,
  tag,
  type World,
} from './world.ts';

const MIB = 1024 * 1024;

/** A store with an image of some layers of half a MiB, and a bundle of it. */
async function bundled(layers: number, seed: number) {
  await using here = await openWorld();
  const image = buildImage(
    Array.from({ length: layers }, (_, at) => pattern(MIB / 2, seed + at)),
    { repository: APP, config: { seed } },
  );
  await keep(here.store, image, [image.manifest.descriptor, image.config, ...image.layers]);
  await tag(here.store, APP, 'latest', image.manifest.descriptor);
  return { image, ...(await exported(here, ['docker.io/**'])) };
}

/** Content of a mirror that may be evicted at any time. */
async function cached(world: World, count: number): Promise<void> {
  for (let at = 0; at < count; at += 1) {
    const bytes = pattern(MIB / 2, 1_000 + at);
    const digest = digestOf(bytes);
    await using ingest = await world.store.content.ingest(digest);
    await ingest.expect(bytes.length);
    await ingest.write(bytes);
    await ingest.commit();
  }
}

async function stored(world: World): Promise<readonly Digest[]> {
  return (await Array.fromAsync(storedDigests(world.store.paths))).toSorted();
}

async function storedLinked(world: World): Promise<readonly Digest[]> {
  const { index } = world.store.housekeeping;
  return (await stored(world)).filter((digest) => index.links.repositoriesOf(digest).length > 0);
}

test('a file of many chunks, in buffers that are read over', async () => {
  const { bytes, lock } = await bundled(9, 1);
  await using folder = await temporaryFolder();
  const name = path.join(folder.path, 'bundle.tar');
  for (const [what, archive] of Object.entries({ plain: bytes, packed: gzipSync(bytes) })) {
    await writeFile(name, archive);
    await using there = await openWorld();
    const { size, bytes: chunks } = await archiveBytes(name, 'reused');
    assert.equal(size, archive.length);
    assert.equal((await there.import(chunks)).blobs, lock.content.length, what);
  }
});

/** An index of two images with two layers of half a MiB each, one of a quarter that both have, and a bundle of it. */
async function bundledPlatforms() {
  await using here = await openWorld();
  const source = new MemorySource();
  const shared = pattern(MIB / 4, 1);
  const [amd64, arm64] = (['amd64', 'arm64'] as const).map((architecture, at) =>
    buildImage([shared, ...[2, 3].map((seed) => pattern(MIB / 2, 10 * (at + 1) + seed))], {
      source,
      repository: APP,
      tag: architecture,
      config: { architecture },
    }),
  ) as [BuiltImage, BuiltImage];
  const index = source.putManifest(APP, {
    schemaVersion: 2,
    mediaType: MEDIA_TYPES.ociIndex,
    manifests: [
      { ...amd64.manifest.descriptor, platform: { os: 'linux', architecture: 'amd64' } },
      { ...arm64.manifest.descriptor, platform: { os: 'linux', architecture: 'arm64' } },
    ],
  });
  const blobs = [amd64.config, ...amd64.layers, arm64.config, ...arm64.layers];
  const parts = [amd64.manifest.descriptor, arm64.manifest.descriptor, ...blobs];
  await keep(here.store, { source, repository: APP }, [index.descriptor, ...parts]);
  await tag(here.store, APP, 'latest', index.descriptor);
  return { amd64, arm64, index, ...(await exported(here, ['docker.io/**'])) };
}

/** Where the first file begins whose name begins so. */
function headerOf(bytes: Buffer, name: string): number {
  for (let at = 0; at < bytes.length; at += 512) {
    if (bytes.toString('latin1', at, at + name.length) === name) return at;
  }
  return assert.fail(`there is no ${name}`);
}

suite('the room that an import of some platforms takes', () => {
  const platforms = [parsePlatform('linux/arm64')];

  test('is that of what is wanted of a bundle, set aside before the first layer comes', async () => {
    const { bytes, arm64, amd64, index } = await bundledPlatforms();
    await using there = await openWorld({ maxSize: 1.3 * MIB });
    const { ledger } = there.store.housekeeping;
    let most = 0;
    const watched = async function* () {
      for (let at = 0; at < bytes.length; at += 20_000) {
        yield bytes.subarray(at, at + 20_000);
        most = Math.max(most, ledger.used);
      }
    };
    await assert.rejects(
      there.import(bytes),
      failsWith('STORAGE_UNAVAILABLE', /no room for the \d+ bytes/),
    );
    const { images } = await there.import(watched(), { platforms });
    assert.equal(images[0]?.digest, index.descriptor.digest);
    assert.ok(most > 1.25 * MIB && most <= 1.3 * MIB, `${most}`);
    for (const { digest, size } of [...arm64.layers, arm64.config, amd64.config]) {
      assert.equal(await there.store.content.size(digest), size);
    }
    for (const { digest } of amd64.layers.slice(1)) {
      assert.equal(await there.store.content.size(digest), undefined);
    }
    assert.equal(ledger.partial, 0);
  });

  test('is refused, where it is too much, before anything but manifests has been stored', async () => {
    const { bytes } = await bundledPlatforms();
    await using there = await openWorld({ maxSize: 1.2 * MIB });
    await cached(there, 1);
    const before = await seen(there.folder);
    await assert.rejects(
      there.import(bytes, { platforms }),
      failsWith('STORAGE_UNAVAILABLE', /no room for the \d+ bytes of bundle\.tar: larger than/),
    );
    assert.deepEqual(await seen(there.folder), before);
  });

  test('what is not wanted is held against its digest all the same', async () => {
    const { bytes, amd64 } = await bundledPlatforms();
    const [, layer] = amd64.layers;
    assert.ok(layer !== undefined);
    const at = headerOf(bytes, layer.digest.replace('sha256:', 'blobs/sha256/'));
    await using there = await openWorld();
    await assert.rejects(
      there.import(flipped(bytes, at + 512 + 7), { platforms }),
      failsWith('DIGEST_INVALID', new RegExp(`bundle\\.tar is damaged: .*${layer.digest}`)),
    );
    assert.deepEqual(await seen(there.folder), []);
  });

  test('is that of everything where manifests come after what they list, and all of it is right', async () => {
    const { bytes, lock, arm64 } = await bundledPlatforms();
    const first = headerOf(bytes, 'blobs/');
    const end = lock.content.length;
    // Head and content of each file, the content in the opposite order.
    const files: Buffer[] = [];
    for (let at = first; files.length < end;) {
      const size = Number.parseInt(bytes.toString('latin1', at + 124, at + 135), 8);
      const next = at + 512 + Math.ceil(size / 512) * 512;
      files.push(bytes.subarray(at, next));
      at = next;
    }
    const turned = [bytes.subarray(0, first), ...files.toReversed(), Buffer.alloc(1024)];
    await using there = await openWorld();
    await there.import(Buffer.concat(turned), { platforms });
    for (const { digest, size } of arm64.layers) {
      assert.equal(await there.store.content.size(digest), size);
    }
    assert.equal((await storedLinked(there)).length, (await stored(there)).length);
  });
});

suite('the room that an import takes', () => {
  test('what has come in stays while the rest comes, whatever is evicted meanwhile', async () => {
    const { bytes, lock } = await bundled(4, 1);
    await using there = await openWorld();
    const { evictor } = there.store.housekeeping;
    const slow = async function* () {
      for (let at = 0; at < bytes.length; at += 100_000) {
        yield bytes.subarray(at, at + 100_000);
        await evictor.sweep({ reason: 'request', excess: () => Infinity });
      }
    };
    assert.equal((await there.import(slow())).blobs, lock.content.length);
    for (const { digest, size } of lock.content) {
      assert.equal(await there.store.content.size(digest), size);
    }
  });

  test('the budget holds at every moment, and what is cached makes way at the beginning', async () => {
    const { bytes } = await bundled(4, 1);
    const maxSize = 4 * MIB;
    await using there = await openWorld({ maxSize });
    await cached(there, 6);
    const { ledger } = there.store.housekeeping;
    let [most, atFirst] = [0, 0];
    const watched = async function* () {
      for (let at = 0; at < bytes.length; at += 50_000) {
        yield bytes.subarray(at, at + 50_000);
        most = Math.max(most, ledger.used);
        if (at === 0) atFirst = ledger.used;
      }
    };
    await there.import(watched());
    assert.ok(most <= maxSize, `${most}`);
    assert.ok(atFirst > 2 * MIB, 'all of it is promised before the first layer comes');
    assert.equal(ledger.partial, 0);
  });

  test('a second bundle that does not fit beside the first takes nothing away', async () => {
    const [first, second] = [await bundled(4, 1), await bundled(4, 100)];
    await using there = await openWorld({ maxSize: 3 * MIB });
    await there.import(first.bytes);
    await cached(there, 1);
    const before = await seen(there.folder);
    const used = there.store.housekeeping.ledger.used;
    await assert.rejects(
      there.import(second.bytes),
      failsWith(
        'STORAGE_UNAVAILABLE',
        /no room for the \d+ bytes of bundle\.tar: larger than what the budget leaves/,
      ),
    );
    assert.deepEqual(await seen(there.folder), before);
    assert.equal(there.store.housekeeping.ledger.used, used);
  });

  test('what a lost import has left makes way, also offline, and nothing else does', async () => {
    const { bytes, lock } = await bundled(4, 1);
    await using there = await openWorld({ maxSize: 4 * MIB, config: 'offline: true' });
    const linked = buildImage([pattern(MIB / 2, 500)], { repository: APP });
    const parts = [linked.manifest.descriptor, linked.config, ...linked.layers];
    await keep(there.store, linked, parts);
    await cached(there, 6);
    assert.equal((await there.import(bytes)).blobs, lock.content.length);
    for (const { digest, size } of [...lock.content, ...parts]) {
      assert.equal(await there.store.content.size(digest), size);
    }
    const { evict, leaving } = administrationOf(there.store, { repositories: there.hosted });
    const planned = await Array.fromAsync(leaving(0));
    assert.ok(planned.length > 0 && planned.every(({ repositories }) => repositories.length === 0));
    assert.equal((await evict(0)).blobs, planned.length);
    assert.deepEqual(await Array.fromAsync(leaving(0)), []);
    const { index } = there.store.housekeeping;
    assert.deepEqual(await storedLinked(there), await stored(there));
    assert.equal(index.unlinkedBytes, 0);
    await assert.rejects(evict(0), failsWith('STORAGE_UNAVAILABLE', /nothing is evicted while/));
  });

  test('offline, what comes in stays while others make way for their own', async () => {
    const { bytes, lock } = await bundled(4, 1);
    await using there = await openWorld({ config: 'offline: true' });
    const { evictor } = there.store.housekeeping;
    const slow = async function* () {
      for (let at = 0; at < bytes.length; at += 100_000) {
        yield bytes.subarray(at, at + 100_000);
        await evictor.sweep({ reason: 'request', excess: () => Infinity });
      }
    };
    assert.equal((await there.import(slow())).blobs, lock.content.length);
    for (const { digest, size } of lock.content) {
      assert.equal(await there.store.content.size(digest), size);
    }
  });

  test('offline, a link that could not be noted keeps everything until all are known again', async () => {
    await using there = await openWorld({ config: 'offline: true' });
    const { housekeeping } = there.store;
    const image = buildImage([pattern(MIB / 2, 500)], { repository: APP });
    const parts = [image.manifest.descriptor, image.config, ...image.layers];
    await keep(there.store, image, parts);
    await rm(path.join(there.folder, 'index'), { recursive: true });
    await housekeeping.round();
    await housekeeping.evictor.sweep({ reason: 'request', excess: () => Infinity });
    for (const { digest, size } of parts) {
      assert.equal(await there.store.content.size(digest), size);
    }
  });

  test('without a lock it is found out on the way, and what came before is gone again', async () => {
    const { bytes } = await bundled(4, 1);
    await using there = await openWorld({ maxSize: 1.2 * MIB });
    // The same as any other tool's: no lock to know the sizes by.
    const start = bytes.indexOf('oci-layout') & ~511;
    await assert.rejects(
      there.import(bytes.subarray(start)),
      failsWith('STORAGE_UNAVAILABLE', /no room for the 524288 bytes of sha256:/),
    );
    assert.deepEqual(await seen(there.folder), []);
    assert.equal(there.store.housekeeping.ledger.used, 0);
  });

  test('what is imported while the store is looked through stays', async () => {
    const { bytes, lock } = await bundled(2, 1);
    await using there = await openWorld();
    const { housekeeping } = there.store;
    const shelf = committing(there, async (commit) => {
      await housekeeping.repin();
      await commit();
    });
    await there.import(bytes, { shelf });
    await housekeeping.evictor.sweep({ reason: 'request', excess: () => Infinity });
    for (const { digest, size } of lock.content) {
      assert.equal(await there.store.content.size(digest), size);
    }
  });

  test('two imports of one bundle at once', async () => {
    const { bytes, lock } = await bundled(4, 1);
    await using there = await openWorld();
    const both = await Promise.all([there.import(bytes), there.import(bytes)]);
    assert.equal(both.length, 2);
    for (const { digest, size } of lock.content) {
      assert.equal(await there.store.content.size(digest), size);
    }
    const sum = lock.content.reduce((total, { size }) => total + size, 0);
    assert.equal(there.store.housekeeping.ledger.used, sum);
  });
});
