import assert from 'node:assert/strict';
import { readdirSync, statSync } from 'node:fs';
import { rm, truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import type { Digest } from '../../src/core/digest.ts';
import { parseTag } from '../../src/core/reference.ts';
import type { HousekeepingEvent } from '../../src/store/budget/event.ts';
import type { HousekeepingOptions, Rules } from '../../src/store/budget/options.ts';
import type { Paths } from '../../src/store/paths.ts';
import { collect } from '../fixtures/collect.ts';
import { gate } from '../fixtures/gate.ts';
import { world, type World } from '../fixtures/mirror-world.ts';
import { generatedBytes } from '../fixtures/registry-content.ts';

const KiB = 1024;
const repository = { host: 'docker.io', path: 'library/x' };
const BLOBS = { method: 'GET', path: /\/blobs\// };

function limited(maxSize: number, more: Partial<HousekeepingOptions & Rules> = {}) {
  return { limits: { maxSize, lowWater: 0.9, minFree: 0 }, ...more };
}

/** Every whole and partial byte of content, as the folders tell. */
function onDisk({ blobs, ingests }: Paths): number {
  const folders = [path.join(blobs, 'sha256'), path.join(blobs, 'sha512'), ingests];
  return folders
    .flatMap((folder) => readdirSync(folder).map((name) => path.join(folder, name)))
    .reduce((sum, name) => sum + (statSync(name, { throwIfNoEntry: false })?.size ?? 0), 0);
}

function add(place: World, seed: number, size: number) {
  const digest = place.registry.addBlob({ size, seed }, repository.path);
  return { digest, bytes: Buffer.from(generatedBytes({ size, seed })) };
}

async function pull(place: World, digest: Digest): Promise<Buffer> {
  await using blob = await place.mirror.blob(repository, digest);
  return await collect(blob.body);
}

/** Pulls and waits until it is put away. */
async function keep(place: World, digest: Digest): Promise<void> {
  const ended = place.events.filter(({ type }) => type === 'download-ended').length;
  await pull(place, digest);
  await place.told('download-ended', ended + 1);
}

async function held(place: World, digests: readonly Digest[]): Promise<readonly boolean[]> {
  const sizes = await Promise.all(digests.map((digest) => place.store.size(digest)));
  return sizes.map((size) => size !== undefined);
}

test('two hundred cold blobs at once into a tenth of their sum: all are right, the budget holds', async () => {
  const size = 96 * KiB + 7;
  const budget = 20 * size;
  await using place = await world({ housekeeping: limited(budget) });
  const blobs = Array.from({ length: 200 }, (_, index) => add(place, index + 1, size));
  let [most, done] = [0, false];
  const watching = (async () => {
    while (!done) {
      most = Math.max(most, onDisk(place.paths));
      await setImmediate();
    }
  })();
  const got = await Promise.all(blobs.map(({ digest }) => pull(place, digest)));
  await place.told('download-ended', 200);
  done = true;
  await watching;
  assert.ok(got.every((bytes, index) => bytes.equals(blobs[index]?.bytes ?? Buffer.alloc(0))));
  assert.ok(most > budget / 2, `the budget is used: ${most}`);
  assert.ok(most <= budget, `${most} bytes on the disk, ${budget} allowed`);
  const { ledger } = place.housekeeping;
  assert.equal(ledger.stored.bytes, onDisk(place.paths));
  assert.equal(ledger.partial, 0);
});

test('the least recently used leave first, down to the low-water mark, and come back by themselves', async () => {
  const size = 100_000;
  await using place = await world({
    housekeeping: { limits: { maxSize: 10 * size, lowWater: 0.7, minFree: 0 } },
  });
  const blobs = Array.from({ length: 12 }, (_, index) => add(place, index + 1, size));
  const digests = blobs.map(({ digest }) => digest);
  for (const digest of digests.slice(0, 10)) await keep(place, digest);
  // The two oldest are asked for again: they are the newest now.
  const [first, second, third, , , , , , , , eleventh] = digests;
  assert.ok(first && second && third && eleventh);
  await pull(place, first);
  await pull(place, second);
  await keep(place, eleventh);
  await place.housekeeping.room.settled();
  assert.deepEqual(await held(place, digests.slice(0, 11)), [
    true,
    true,
    false,
    false,
    false,
    false,
    true,
    true,
    true,
    true,
    true,
  ]);
  const asked = place.registry.count(BLOBS);
  assert.ok((await pull(place, third)).equals(blobs[2]?.bytes ?? Buffer.alloc(0)));
  assert.equal(place.registry.count(BLOBS), asked + 1);
});

test('when it was asked for survives a restart, also one without an orderly end', async () => {
  const size = 100_000;
  await using place = await world({ housekeeping: limited(4 * size) });
  const digests = Array.from({ length: 5 }, (_, index) => add(place, index + 1, size).digest);
  const [first, , , , last] = digests;
  assert.ok(first && last);
  for (const digest of digests.slice(0, 4)) await keep(place, digest);
  await pull(place, first);
  await place.restart();
  await keep(place, last);
  assert.deepEqual((await held(place, digests)).slice(0, 2), [true, false]);
});

test('what is being read stays, however full it is', async () => {
  const size = 400_000;
  await using place = await world({ housekeeping: limited(2 * size + 10) });
  const blobs = [1, 2, 3, 4].map((seed) => add(place, seed, size));
  const [first, second, third, fourth] = blobs;
  assert.ok(first && second && third && fourth);
  await keep(place, first.digest);
  await using reading = await place.mirror.blob(repository, first.digest);
  const body = reading.body[Symbol.asyncIterator]();
  const chunks = [(await body.next()).value];
  for (const { digest } of [second, third, fourth]) await keep(place, digest);
  assert.deepEqual(await held(place, [first.digest]), [true]);
  for (let next = await body.next(); next.done !== true; next = await body.next()) {
    chunks.push(next.value);
  }
  assert.ok(Buffer.concat(chunks.map((chunk) => Buffer.from(chunk ?? []))).equals(first.bytes));
});

test('what a download is bringing stays while somebody follows it, also after its end', async () => {
  const size = 400_000;
  await using place = await world({ housekeeping: limited(size + 10) });
  const [first, second] = [add(place, 1, size), add(place, 2, size)];
  await using slow = await place.mirror.blob(repository, first.digest);
  await using fast = await place.mirror.blob(repository, first.digest);
  await collect(fast.body);
  await place.told('download-ended');
  assert.ok((await pull(place, second.digest)).equals(second.bytes));
  await place.told('download-ended', 2);
  assert.deepEqual(await held(place, [first.digest, second.digest]), [true, false]);
  assert.ok((await collect(slow.body)).equals(first.bytes));
});

test('a blob larger than the budget goes through, and evicts nothing', async () => {
  await using place = await world({ housekeeping: limited(500_000) });
  const [small, large] = [add(place, 1, 300_000), add(place, 2, 600_000)];
  await keep(place, small.digest);
  assert.ok((await pull(place, large.digest)).equals(large.bytes));
  await place.told('download-ended', 2);
  assert.deepEqual(await held(place, [small.digest, large.digest]), [true, false]);
  assert.deepEqual(
    place.events.flatMap((event) => (event.type === 'download-ended' ? [event.result] : [])),
    ['stored', 'unstored'],
  );
});

test('what a download left behind counts, is gone on with, and makes way', async () => {
  const size = 20_000_000;
  await using place = await world({ housekeeping: limited(size + 1_000_000) });
  const { digest } = add(place, 1, size);
  const held = gate();
  const undo = place.registry.misbehave(BLOBS, { kind: 'hold-body', at: 6_000_000, gate: held });
  const blob = await place.mirror.blob(repository, digest);
  const body = blob.body[Symbol.asyncIterator]();
  for (let read = 0; read < 4_000_000;) read += (await body.next()).value?.length ?? 0;
  await blob[Symbol.asyncDispose]();
  await place.restart();
  held.open();
  undo();
  const left = onDisk(place.paths);
  assert.ok(left >= 4_000_000);
  assert.equal(place.housekeeping.ledger.partial, left);
  const other = add(place, 2, size);
  await keep(place, other.digest);
  assert.equal(onDisk(place.paths), size);
  assert.equal(place.housekeeping.ledger.used, size);
});

test('a pinned image stays with all it consists of; so does one that its upstream has deleted', async () => {
  const events: HousekeepingEvent[] = [];
  await using place = await world({
    policy: { freshFor: 0 },
    housekeeping: limited(900_000, {
      pins: ['docker.io/library/x:pinned'],
      observe: (event) => events.push(event),
    }),
  });
  const images = ['pinned', 'gone', 'other'].map((tag, index) =>
    place.registry.addImage('library/x', tag, {
      layers: [{ size: 100_000, seed: index + 1 }],
      config: { tag },
    }),
  );
  for (const [index, image] of images.entries()) {
    const tag = parseTag(['pinned', 'gone', 'other'][index] ?? '');
    await place.mirror.manifest(repository, tag);
    for (const { digest } of [image.config, ...image.layers]) await keep(place, digest);
  }
  place.registry.misbehave(
    { path: /manifests\/gone/ },
    { kind: 'status', status: 404, body: { errors: [{ code: 'MANIFEST_UNKNOWN' }] } },
  );
  const stale = await place.mirror.manifest(repository, parseTag('gone'));
  assert.equal(stale.served?.detail, 'gone');
  for (let seed = 10; seed < 22; seed += 1) await keep(place, add(place, seed, 100_000).digest);
  const kept = images.map(({ manifest, config, layers }) =>
    [manifest, config, ...layers].map(({ digest }) => digest),
  );
  assert.deepEqual(await held(place, kept[0] ?? []), [true, true, true]);
  assert.deepEqual(await held(place, kept[1] ?? []), [true, true, true]);
  // Blobs go before manifests.
  assert.deepEqual(await held(place, kept[2] ?? []), [true, false, false]);
});

test('a tag that moves on takes its pin with it; a repository is pinned with what is pulled by digest', async () => {
  await using place = await world({
    policy: { freshFor: 0 },
    housekeeping: limited(5_000_000, { pins: ['docker.io/library/x:v*', 'docker.io/library/y'] }),
  });
  const { keeper } = place.housekeeping;
  const why = async (digest: Digest | undefined, name: string | undefined): Promise<void> => {
    assert.ok(digest);
    while (keeper.why(digest)?.name !== name) await setImmediate();
  };
  const pulled = async (seed: number) => {
    const layers = [{ size: 1000, seed }];
    const { layers: added } = place.registry.addImage('library/x', 'v1', { layers });
    await place.mirror.manifest(repository, parseTag('v1'));
    return added[0]?.digest;
  };
  const before = await pulled(1);
  await why(before, 'docker.io/library/x:v1');
  const after = await pulled(2);
  await why(after, 'docker.io/library/x:v1');
  await why(before, undefined);
  const other = place.registry.addImage('library/y', undefined, {
    layers: [{ size: 1000, seed: 3 }],
  });
  const { digest } = other.manifest;
  await place.mirror.manifest({ host: 'docker.io', path: 'library/y' }, digest);
  await why(other.layers[0]?.digest, `docker.io/library/y@${digest}`);
});

test('offline nothing is evicted', async () => {
  await using place = await world({ housekeeping: limited(250_000, { network: 'offline' }) });
  const digests = [1, 2, 3].map((seed) => add(place, seed, 100_000).digest);
  for (const digest of digests) await keep(place, digest);
  assert.deepEqual(await held(place, digests), [true, true, false]);
});

test('an upstream keeps to its share', async () => {
  await using place = await world({
    housekeeping: limited(2_000_000, { shares: new Map([['docker.io', 500_000]]) }),
  });
  const other = { host: 'other.example', path: 'library/x' };
  const [mine, theirs] = [
    [1, 2, 3, 4, 5, 6, 7],
    [11, 12, 13],
  ].map((seeds) => seeds.map((seed) => add(place, seed, 100_000).digest));
  assert.ok(mine && theirs);
  for (const digest of theirs) {
    await using blob = await place.mirror.blob(other, digest);
    await collect(blob.body);
  }
  for (const digest of mine) await keep(place, digest);
  await place.told('download-ended', 10);
  await place.housekeeping.round();
  assert.deepEqual(await held(place, mine), [false, false, false, true, true, true, true]);
  assert.deepEqual(await held(place, theirs), [true, true, true]);
});

test('what nobody asks for gets too old; clocks that jump make nothing older or younger', async () => {
  const [day, year] = [86_400_000, 365 * 86_400_000];
  let [wall, monotonic] = [Date.now(), 0];
  await using place = await world({
    housekeeping: limited(10_000_000, {
      maxAge: 7 * day,
      clock: { wall: () => wall, monotonic: () => monotonic },
    }),
  });
  const [old, young] = [add(place, 1, 100_000).digest, add(place, 2, 100_000).digest];
  await keep(place, old);
  for (const jump of [year, -2 * year, year]) {
    wall += jump;
    await place.housekeeping.round();
    assert.deepEqual(await held(place, [old]), [true]);
    await place.restart();
    await place.housekeeping.round();
    assert.deepEqual(await held(place, [old]), [true]);
  }
  monotonic += 4 * day;
  await keep(place, young);
  wall -= year;
  monotonic += 4 * day;
  await place.housekeeping.round();
  assert.deepEqual(await held(place, [old, young]), [false, true]);
});

for (const [what, harm] of [
  ['deleted', (file: string) => rm(file)],
  ['overwritten', (file: string) => writeFile(file, 'not a database at all'.repeat(1000))],
  ['cut', (file: string) => truncate(file, 5000)],
] as const) {
  for (const when of ['while it runs', 'while nothing runs'] as const) {
    test(`the index is ${what} ${when}: it is made anew, the budget holds, pins are kept`, async () => {
      const size = 100_000;
      const events: string[] = [];
      await using place = await world({
        housekeeping: limited(10 * size, {
          pins: ['docker.io/library/x:v1'],
          observe: ({ type }) => events.push(type),
        }),
      });
      const image = place.registry.addImage('library/x', 'v1', { layers: [{ size, seed: 77 }] });
      await place.mirror.manifest(repository, parseTag('v1'));
      const [layer] = image.layers;
      assert.ok(layer);
      await keep(place, layer.digest);
      for (let seed = 1; seed <= 8; seed += 1) await keep(place, add(place, seed, size).digest);
      const { blobIndex } = place.paths;
      if (when === 'while it runs') {
        await harm(blobIndex);
        await place.housekeeping.round();
        await place.housekeeping.round();
      } else {
        await place.restart(() => harm(blobIndex));
      }
      let most = 0;
      for (let seed = 20; seed < 36; seed += 1) {
        await keep(place, add(place, seed, size).digest);
        most = Math.max(most, onDisk(place.paths));
      }
      assert.ok(most <= 10 * size, `${most}`);
      assert.deepEqual(await held(place, [layer.digest, image.manifest.digest]), [true, true]);
      assert.equal(place.housekeeping.closed, undefined);
      assert.equal(place.housekeeping.ledger.stored.bytes, onDisk(place.paths));
    });
  }
}
