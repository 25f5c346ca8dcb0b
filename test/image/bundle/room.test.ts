import assert from 'node:assert/strict';
import { rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { suite, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { administrationOf } from '../../../src/compose/administration.ts';
import { digestOf, type Digest } from '../../../src/core/digest.ts';
import { archiveBytes } from '../../../src/image/bundle/archive-bytes.ts';
import { storedDigests } from '../../../src/store/stored.ts';
import { buildImage } from '../../fixtures/image-builder.ts';
import { temporaryFolder } from '../../fixtures/temporary.ts';
import { failsWith } from '../archive/source-contract.ts';
import { pattern } from '../../fixtures/collect.ts';
import { APP, exported, keep, openWorld, seen, tag, type World } from './world.ts';

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
    const change: World['shelf']['change'] = async (changes) => {
      await housekeeping.repin();
      await there.shelf.change(changes);
    };
    await there.import(bytes, { shelf: { ...there.shelf, change } });
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
