import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { administrationOf } from '../../src/compose/administration.ts';
import { openHosted } from '../../src/compose/hosted.ts';
import { housekeepingOf } from '../../src/compose/housekeeping.ts';
import { openStore } from '../../src/compose/store.ts';
import { load } from '../../src/config/load.ts';
import { digestOf } from '../../src/core/digest.ts';
import { HOSTED } from '../../src/core/hosted.ts';
import type { HostedRepositories } from '../../src/hosted/repositories.ts';
import { pattern } from '../fixtures/collect.ts';
import { temporaryFolder } from '../fixtures/temporary.ts';

const cached = { host: 'docker.io', path: 'library/x' };
const mine = { host: HOSTED, path: 'apps/x' };
const everything = { reason: 'request', excess: () => Infinity } as const;

async function opened(path: string) {
  await using stack = new AsyncDisposableStack();
  const text = 'storage: { minFree: 0, verifyRate: 0 }\nhosted: [apps/*]\n';
  const { config } = load({ file: { name: 'c', text }, environment: {}, overrides: [] });
  let residents: HostedRepositories | undefined;
  const housekeeping = housekeepingOf(() => config, {
    exclusively: (digest, task) =>
      residents === undefined ? task() : residents.exclusively(digest, task),
  });
  const store = stack.use(
    await openStore({ path, verifyRate: () => 0, admin: '', observe: () => {}, housekeeping }),
  );
  const hosted = stack.use(
    openHosted(
      () => config,
      store,
      () => {},
    ),
  );
  residents = hosted.repositories;
  await store.housekeeping.looked();
  const whole = stack.move();
  return {
    store,
    hosted: hosted.repositories,
    evictor: store.housekeeping.evictor,
    [Symbol.asyncDispose]: () => whole.disposeAsync(),
  };
}

test('content that is evicted while it is pushed or mounted: what was acknowledged is here, and stays', async () => {
  await using folder = await temporaryFolder();
  await using place = await opened(folder.path);
  const { store, hosted, evictor } = place;
  const outcomes = { mounted: 0, refused: 0 };
  const acknowledged = [];
  for (let seed = 1; seed <= 60; seed += 1) {
    const bytes = pattern(20_000, seed);
    const digest = digestOf(bytes);
    {
      await using ingest = await store.content.ingest(digest);
      await ingest.expect(bytes.length);
      await ingest.write(bytes);
      await ingest.commit();
    }
    await store.links.set(cached, digest, { size: bytes.length });
    const body = (async function* () {
      yield bytes;
    })();
    const take = () =>
      seed % 3 === 0
        ? hosted.uploads.whole(mine, digest, { body })
        : hosted.mounts.mount(mine, digest, cached);
    // Now the one has a lead, now the other.
    const taking = seed % 2 === 0 ? take() : undefined;
    for (let turn = 0; turn < seed % 7; turn += 1) await setImmediate();
    const evicting = evictor.sweep(everything);
    const taken = await (taking ?? take());
    await evicting;
    if (taken === undefined) {
      outcomes.refused += 1;
      continue;
    }
    outcomes.mounted += 1;
    acknowledged.push(digest);
    assert.equal(await store.content.size(digest), bytes.length, `${seed}`);
  }
  await evictor.sweep(everything);
  for (const digest of acknowledged) assert.ok(await store.content.size(digest));
  assert.ok(outcomes.mounted > 20 && outcomes.refused > 0, JSON.stringify(outcomes));
});

test('offline nothing is evicted, and who asks for it is told why', async () => {
  await using folder = await temporaryFolder();
  const text = 'storage: { minFree: 0 }\noffline: true\n';
  const { config } = load({ file: { name: 'c', text }, environment: {}, overrides: [] });
  await using store = await openStore({
    path: folder.path,
    verifyRate: () => 0,
    admin: '',
    observe: () => {},
    housekeeping: housekeepingOf(() => config),
  });
  await using hosted = openHosted(
    () => config,
    store,
    () => {},
  );
  const administration = administrationOf(store, hosted);
  await assert.rejects(administration.evict(0), /offline/);
  await assert.rejects(administration.prune({ patterns: ['**'], gone: 'include' }), /offline/);
});

test('what was pushed is kept after a restart, also without the index', async () => {
  await using folder = await temporaryFolder();
  const bytes = pattern(20_000, 1);
  const digest = digestOf(bytes);
  {
    await using place = await opened(folder.path);
    const body = (async function* () {
      yield bytes;
    })();
    await place.hosted.uploads.whole(mine, digest, { body });
  }
  for (const index of ['there', 'lost'] as const) {
    await using place = await opened(folder.path);
    if (index === 'lost') {
      await rm(place.store.paths.blobIndex);
      await place.store.housekeeping.round();
    }
    await place.evictor.sweep(everything);
    assert.equal(await place.store.content.size(digest), 20_000, index);
    assert.equal(place.store.housekeeping.keeper.why(digest)?.reason, 'hosted');
  }
});
