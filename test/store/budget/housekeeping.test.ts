import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readdir, rm, stat, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { digestOf, type Digest } from '../../../src/core/digest.ts';
import { parseTag } from '../../../src/core/reference.ts';
import { verify } from '../../../src/store/verify.ts';
import { collect, pattern } from '../../fixtures/collect.ts';
import { gate } from '../../fixtures/gate.ts';
import { keptStore } from '../../fixtures/kept-store.ts';
import { temporaryFolder } from '../../fixtures/temporary.ts';

const EVICTING = fileURLToPath(new URL('evicting.ts', import.meta.url));
const repository = { host: 'docker.io', path: 'library/x' };
const everything = { reason: 'request', excess: () => Infinity } as const;

async function setUp(options: Parameters<typeof keptStore>[1] = {}) {
  const folder = await temporaryFolder();
  const place = await keptStore(folder.path, options);
  await place.housekeeping.looked();
  return Object.assign(place, {
    async [Symbol.asyncDispose]() {
      await place.housekeeping[Symbol.asyncDispose]();
      await folder[Symbol.asyncDispose]();
    },
  });
}

test('killed in the middle of an eviction: what is visible is whole, and what is known is true', async () => {
  await using folder = await temporaryFolder();
  const child = spawn(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', EVICTING, folder.path],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  let evicted = 0;
  for await (const chunk of child.stdout) {
    evicted += String(chunk).split('\n').length - 1;
    if (evicted > 50) child.kill('SIGKILL');
  }
  await using place = await keptStore(folder.path);
  const { paths, store, housekeeping } = place;
  await housekeeping.looked();
  let [left, bytes] = [0, 0];
  for await (const { outcome, size } of verify({ paths, store })) {
    assert.equal(outcome, 'right');
    left += 1;
    bytes += size;
  }
  assert.ok(left > 0 && left < 300, `${left} are left`);
  assert.deepEqual(housekeeping.ledger.stored, { bytes, objects: left });
  assert.deepEqual(housekeeping.index.recount(), { bytes, objects: left });
  assert.equal(housekeeping.closed, undefined);
  await housekeeping.evictor.sweep(everything);
  assert.deepEqual(housekeeping.ledger.stored, { bytes: 0, objects: 0 });
});

test('a removal that has begun is waited for; what is used is not removed', async () => {
  await using place = await setUp();
  const { store, housekeeping, put } = place;
  const bytes = pattern(50_000);
  const digest = await put(bytes);
  const stored = housekeeping.index.get(digest);
  assert.ok(stored);
  {
    await using reading = await store.open(digest);
    assert.equal(await housekeeping.evictor.evict(stored, 'request'), false);
    assert.ok(reading && (await collect(reading.body)).equals(bytes));
  }
  const held = gate();
  const removing = housekeeping.uses.remove(digest, () => held.opened);
  const opening = store.open(digest);
  const first = await Promise.race([opening.then(() => 'opened'), setImmediate('waiting')]);
  assert.equal(first, 'waiting');
  held.open();
  await removing;
  await using opened = await opening;
  assert.ok(opened);
});

test('what is being linked is not evicted, and a link comes after a removal that takes links along', async () => {
  await using place = await setUp();
  const { housekeeping, put, links, store } = place;
  const { index, evictor, uses } = housekeeping;
  const digest = await put(pattern(1000));
  const stored = index.get(digest);
  assert.ok(stored);
  const setting = links.set(repository, digest, { size: 1000 });
  assert.equal(await evictor.evict(stored, 'request'), false);
  await setting;
  assert.equal(await evictor.evict(stored, 'request'), true);
  assert.deepEqual(index.links.repositoriesOf(digest), []);

  const held = gate();
  const removing = uses.remove(digest, async () => {
    await held.opened;
    index.links.remove(repository, digest);
  });
  const again = links.set(repository, digest, { size: 1000 });
  await put(pattern(10));
  held.open();
  await Promise.all([removing, again]);
  assert.deepEqual(index.links.repositoriesOf(digest), [repository]);
  assert.equal(await store.size(digest), undefined);
});

test('what lives here is never evicted, and is when it does not any more', async () => {
  await using place = await setUp();
  const { housekeeping, put, store } = place;
  const [mine, cached] = [await put(pattern(1000, 1)), await put(pattern(1000, 2))];
  housekeeping.keeper.host(mine);
  await housekeeping.evictor.sweep(everything);
  assert.deepEqual([await store.size(mine), await store.size(cached)], [1000, undefined]);
  assert.equal(housekeeping.index.keptBytes, 1000);
  housekeeping.keeper.release(mine);
  await housekeeping.evictor.sweep(everything);
  assert.equal(await store.size(mine), undefined);
  assert.equal(housekeeping.index.keptBytes, 0);
});

test('while it is looked through what lives here is kept at every moment, and nothing is evicted', async () => {
  await using place = await setUp();
  const { housekeeping, put, store } = place;
  const mine = await put(pattern(1000, 1));
  housekeeping.keeper.host(mine);
  housekeeping.keeper.beginRound();
  assert.equal(housekeeping.keeper.why(mine)?.reason, 'hosted');
  housekeeping.keeper.host(mine);
  await housekeeping.keeper.endRound();
  assert.equal(housekeeping.keeper.why(mine)?.reason, 'hosted');
  housekeeping.keeper.release(mine);
  assert.equal(housekeeping.keeper.why(mine), undefined);
  const looking = housekeeping.repin();
  assert.notEqual(housekeeping.closed, undefined);
  await housekeeping.evictor.sweep(everything);
  await looking;
  assert.equal(await store.size(mine), 1000);
  await housekeeping.evictor.sweep(everything);
  assert.equal(await store.size(mine), undefined);
});

test('the links to what is evicted go with it', async () => {
  await using place = await setUp();
  const { housekeeping, put, links, paths } = place;
  const digest = await put(pattern(1000));
  await links.set(repository, digest, { size: 1000 });
  await housekeeping.evictor.sweep(everything);
  assert.equal(await links.get(repository, digest), undefined);
  assert.deepEqual(await readdir(path.dirname(paths.link(repository, digest))), []);
});

test('an index of an image is kept with manifests that come later, and what these list', async () => {
  await using place = await setUp({ pins: ['docker.io/library/x:v1'] });
  const { housekeeping, put, tags, store } = place;
  const manifestOf = (layer: Digest) =>
    Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        config: { mediaType: 'a/b', digest: layer, size: 1000 },
        layers: [],
      }),
    );
  const layer = pattern(1000, 3);
  const child = manifestOf(digestOf(layer));
  const index = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      manifests: [{ mediaType: 'a/b', digest: digestOf(child), size: child.length }],
    }),
  );
  const descriptor = { mediaType: 'a/b', digest: await put(index), size: index.length };
  const now = Date.now();
  const record = { descriptor, firstSeen: now, checkedAt: now, history: [] };
  await tags.set(repository, parseTag('v1'), record);
  await housekeeping.keeper.settled();
  const [later, other] = [await put(layer), await put(pattern(1000, 4))];
  assert.equal(housekeeping.keeper.why(later), undefined);
  const childDigest = await put(child);
  await housekeeping.evictor.sweep(everything);
  for (const digest of [descriptor.digest, childDigest, later]) assert.ok(await store.size(digest));
  assert.equal(await store.size(other), undefined);
  await tags.remove(repository, parseTag('v1'));
  await housekeeping.evictor.sweep(everything);
  assert.equal(housekeeping.ledger.stored.objects, 0);
});

test('pins in the file are read when it changes; a file that makes no sense changes nothing', async () => {
  await using place = await setUp();
  const { housekeeping, put, paths, links } = place;
  const digest = await put(pattern(1000));
  await links.set(repository, digest, { size: 1000, mediaType: 'a/b' });
  await writeFile(paths.pins, '{"pins":["docker.io/library/x"]}');
  await housekeeping.round();
  assert.equal(housekeeping.keeper.why(digest)?.reason, 'pinned');
  await writeFile(paths.pins, '{"pins":[');
  await housekeeping.round();
  assert.equal(housekeeping.keeper.why(digest)?.reason, 'pinned');
  await rm(paths.pins);
  await housekeeping.round();
  assert.equal(housekeeping.keeper.why(digest), undefined);
});

test('without an index the order is that of the files, and nothing is too old', async () => {
  await using folder = await temporaryFolder();
  const year = 365 * 86_400;
  const digests: Digest[] = [];
  {
    await using place = await keptStore(folder.path);
    for (let seed = 1; seed <= 4; seed += 1) digests.push(await place.put(pattern(1000, seed)));
    const ages = [1, 3, -1, 2];
    for (const [index, digest] of digests.entries()) {
      const time = Date.now() / 1000 - (ages[index] ?? 0) * year;
      await utimes(place.paths.blob(digest), time, time);
    }
  }
  await rm(path.join(folder.path, 'index'), { recursive: true });
  await using place = await keptStore(folder.path, { maxAge: 86_400_000 });
  const { housekeeping, store } = place;
  await housekeeping.looked();
  await housekeeping.round();
  assert.equal(housekeeping.ledger.stored.objects, 4);
  const excess = (): number => housekeeping.ledger.stored.bytes - 2000;
  await housekeeping.evictor.sweep({ reason: 'request', excess });
  const held = await Promise.all(digests.map((digest) => store.size(digest)));
  assert.deepEqual(held, [1000, undefined, 1000, undefined]);
});

test('no room for the rest of what an earlier attempt left: the whole is served, what was left stays', async () => {
  await using folder = await temporaryFolder();
  const bytes = pattern(3_000_000, 5);
  const digest = digestOf(bytes);
  const limits = { maxSize: 2_000_000, lowWater: 0.9, minFree: 0 };
  await using first = await keptStore(folder.path, { limits });
  const name = first.paths.ingest(digest);
  await first.housekeeping[Symbol.asyncDispose]();
  await writeFile(name, bytes.subarray(0, 1_000_000));
  await using place = await keptStore(folder.path, { limits });
  const { housekeeping, store } = place;
  await housekeeping.looked();
  assert.equal(housekeeping.ledger.partial, 1_000_000);
  {
    await using ingest = await store.ingest(digest);
    await ingest.expect(bytes.length);
    assert.equal(ingest.storing, false);
    await using reading = ingest.read();
    const read = collect(reading.body);
    await ingest.write(bytes.subarray(ingest.length));
    assert.deepEqual(await ingest.commit(), { stored: false });
    assert.ok((await read).equals(bytes));
  }
  assert.equal(await store.size(digest), undefined);
  assert.equal((await stat(name)).size, 1_000_000);
  assert.equal(housekeeping.ledger.partial, 1_000_000);
});

test('somebody else takes the disk: what is cached makes way, and what finds no room is not stored', async () => {
  let available = 1_000_000;
  let stored = (): number => 0;
  await using place = await setUp({
    limits: { maxSize: 1e9, lowWater: 0.9, minFree: 100_000 },
    space: async () => ({
      available: available - stored(),
      capacity: 1e9,
    }),
  });
  const { housekeeping, put, store } = place;
  stored = () => housekeeping.ledger.stored.bytes;
  const digests: Digest[] = [];
  for (let seed = 1; seed <= 5; seed += 1) digests.push(await put(pattern(10_000, seed)));
  available = 130_000;
  await housekeeping.round();
  assert.equal(housekeeping.ledger.stored.objects, 3);
  const [, , , , newest] = digests;
  assert.ok(newest && (await store.size(newest)));
  available = 90_000;
  const refused = await put(pattern(10_000, 9));
  assert.equal(await store.size(refused), undefined);
});
