import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { actionsFor } from '../../src/compose/actions.ts';
import { openHosted } from '../../src/compose/hosted.ts';
import { housekeepingOf } from '../../src/compose/housekeeping.ts';
import { openStore, type OpenStore } from '../../src/compose/store.ts';
import { load } from '../../src/config/load.ts';
import { digestOf } from '../../src/core/digest.ts';
import { MEDIA_TYPES } from '../../src/core/media-type.ts';
import { parseTag } from '../../src/core/reference.ts';
import { confirmed } from '../../src/store/tags.ts';
import type { World } from '../hosted/world.ts';
import { bytes, HOUR, piece, pushBlob, pushImage, repository } from '../hosted/world.ts';
import { summed } from '../../src/hosted/collection.ts';
import { temporaryFolder } from '../fixtures/temporary.ts';

const YEAR = 365 * 24 * HOUR;
const apps = repository('apps/x');
const cached = { host: 'docker.io', path: 'library/x' };

/** The system's clock, which the test may set. */
function systemClock(t: TestContext) {
  const right = Date.now;
  const clock = { ahead: 0 };
  t.mock.method(Date, 'now', () => right() + clock.ahead);
  return clock;
}

async function opened(path: string) {
  await using stack = new AsyncDisposableStack();
  const text = 'hosted: [apps/**]\n';
  const { config } = load({ file: { name: 'c', text }, environment: {}, overrides: [] });
  const housekeeping = housekeepingOf(() => config);
  const store = stack.use(
    await openStore({ path, verifyRate: () => 0, admin: '', observe: () => {}, housekeeping }),
  );
  const { repositories: hosted } = stack.use(openHosted(() => config, store));
  await store.housekeeping.looked();
  const { records, paths, links: mirrored } = store;
  const world: World = { hosted, records, paths, mirrored };
  const whole = stack.move();
  return { store, world, hosted, [Symbol.asyncDispose]: () => whole.disposeAsync() };
}

/** A tag that has moved, a blob that nothing lists yet, and a push that goes on. */
async function pushed(world: World) {
  await pushImage(world, apps, 'first', 'v1');
  await pushImage(world, apps, 'second', 'v1');
  await pushBlob(world, apps, bytes('of a push under way'));
  const { id } = await world.hosted.uploads.start(apps);
  await world.hosted.uploads.append(apps, id, piece(bytes('half')));
  return id;
}

/** What a dry run in a process of its own finds. */
async function garbage(path: string): Promise<readonly string[]> {
  const { upkeep } = actionsFor({ version: '0', environment: {} });
  const overrides = [{ flag: '--storage', key: 'storage.path', value: path }];
  const found = await Array.fromAsync(upkeep.garbage({ config: undefined, overrides }));
  return found.map(({ type }) => type);
}

for (const jump of [YEAR, -YEAR]) {
  test(`a clock that jumps by ${jump / YEAR} years and back loses nothing that was pushed`, async (t) => {
    const clock = systemClock(t);
    await using folder = await temporaryFolder();
    await using place = await opened(folder.path);
    const { hosted, world } = place;
    const id = await pushed(world);
    for (const ahead of [jump, 0]) {
      clock.ahead = ahead;
      const { manifests, blobs, kept, freed } = await summed(hosted.collect('collect'));
      assert.deepEqual([manifests, blobs, freed], [0, 0, 0]);
      assert.deepEqual(kept, { tagged: 1, needed: 4, recent: 2 });
      assert.deepEqual(await garbage(folder.path), ['kept']);
      assert.equal(await hosted.expire(), 0);
      assert.equal((await hosted.uploads.status(apps, id)).offset, 4);
    }
  });
}

test('a clock that is ahead at the next start loses nothing that was pushed, nor does a dry run say so', async (t) => {
  const clock = systemClock(t);
  await using folder = await temporaryFolder();
  let id: string;
  {
    await using place = await opened(folder.path);
    id = await pushed(place.world);
  }
  clock.ahead = YEAR;
  assert.deepEqual(await garbage(folder.path), ['kept']);
  {
    await using place = await opened(folder.path);
    const { manifests, blobs, freed } = await summed(place.hosted.collect('collect'));
    assert.deepEqual([manifests, blobs, freed], [0, 0, 0]);
    assert.equal(await place.hosted.expire(), 0);
    assert.equal((await place.hosted.uploads.status(apps, id)).offset, 4);
  }
  clock.ahead = 0;
  await using place = await opened(folder.path);
  const { manifests, blobs } = await summed(place.hosted.collect('collect'));
  assert.deepEqual([manifests, blobs], [0, 0]);
});

/** An image is pulled, as far as the store is concerned. */
async function pull({ content, links, tags }: OpenStore, tag: string): Promise<void> {
  const text = JSON.stringify({ schemaVersion: 2, annotations: { tag } });
  const [manifest, mediaType] = [bytes(text), MEDIA_TYPES.ociManifest];
  const descriptor = { mediaType, digest: digestOf(manifest), size: manifest.length };
  await using ingest = await content.ingest(descriptor.digest);
  await ingest.expect(manifest.length);
  await ingest.write(manifest);
  await ingest.commit();
  await links.set(cached, descriptor.digest, { size: manifest.length, mediaType });
  await tags.set(cached, parseTag(tag), confirmed(undefined, descriptor, Date.now()));
}

test('what was pulled gets no older by a clock that jumps, as listed and as pruned', async (t) => {
  const clock = systemClock(t);
  await using folder = await temporaryFolder();
  const overrides = [{ flag: '--storage', key: 'storage.path', value: folder.path }];
  const { upkeep } = actionsFor({ version: '0', environment: {} });
  const choices = {
    config: undefined,
    overrides,
    patterns: [],
    gone: 'spare',
    olderThan: '30d',
  } as const;
  const ages = async (): Promise<readonly number[]> => {
    const images = await Array.fromAsync(upkeep.images(choices, []));
    return images.map(({ firstPulled = 0 }) => Math.round((Date.now() - firstPulled) / HOUR));
  };
  {
    await using place = await opened(folder.path);
    const { store } = place;
    await pull(store, 'v1');
    await store.housekeeping.round();
    for (const [ahead, tag] of [
      [YEAR, 'v2'],
      [0, 'v3'],
      [-YEAR, 'v4'],
    ] as const) {
      clock.ahead = ahead;
      await store.housekeeping.round();
      await pull(store, tag);
    }
    await store.housekeeping.round();
    assert.deepEqual(await ages(), [0, 0, 0, 0]);
    assert.deepEqual((await upkeep.planPrune(choices)).images, []);
  }
  // A day is what a pause counts at most.
  clock.ahead = YEAR;
  assert.deepEqual(await ages(), [24, 24, 24, 24]);
  assert.deepEqual((await upkeep.planPrune(choices)).images, []);
  assert.deepEqual((await upkeep.prune(choices)).images, []);
  const { images } = await upkeep.planPrune({ ...choices, olderThan: '23h' });
  assert.equal(images.length, 4);
});
