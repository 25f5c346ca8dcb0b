import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Rules } from '../../../src/store/budget/options.ts';
import { Pins } from '../../../src/store/budget/pins.ts';
import { parseTag } from '../../../src/core/reference.ts';
import { Pulse } from '../../../src/core/pulse.ts';
import { pattern } from '../../fixtures/collect.ts';
import { keptStore } from '../../fixtures/kept-store.ts';
import { temporaryFolder } from '../../fixtures/temporary.ts';

const repository = { host: 'docker.io', path: 'library/x' };
const ROOMY: Rules = {
  limits: { maxSize: 1e9, lowWater: 0.8, minFree: 0 },
  maxAge: 0,
  shares: new Map(),
  pins: [],
  network: 'online',
};

/** A store of ten blobs of 1000 bytes whose rules change as the test says. */
async function setUp() {
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(await temporaryFolder());
  let rules = ROOMY;
  const evicted = new Pulse();
  const place = stack.use(
    await keptStore(folder.path, {
      rules: () => rules,
      observe: ({ type }) => type === 'evicted' && evicted.give(),
    }),
  );
  await place.housekeeping.looked();
  for (let seed = 1; seed <= 10; seed += 1) await place.put(pattern(1000, seed));
  const whole = stack.move();
  return {
    ...place,
    evicted,
    change: (changed: Partial<Rules>) => {
      rules = { ...rules, ...changed };
    },
    [Symbol.asyncDispose]: () => whole.disposeAsync(),
  };
}

test('a smaller budget is kept to at the next round, and a larger one lets more in', async () => {
  await using place = await setUp();
  const { housekeeping, change, put } = place;
  change({ limits: { maxSize: 5000, lowWater: 0.8, minFree: 0 } });
  await housekeeping.round();
  assert.equal(housekeeping.ledger.stored.bytes, 4000);
  change({ limits: ROOMY.limits });
  for (let seed = 11; seed <= 20; seed += 1) await put(pattern(1000, seed));
  assert.equal(housekeeping.ledger.stored.bytes, 14_000);
});

test(
  'what follows from other rules need not wait for the next round',
  { timeout: 4_000 },
  async () => {
    await using place = await setUp();
    const { housekeeping, change, evicted } = place;
    change({ limits: { maxSize: 5000, lowWater: 0.8, minFree: 0 } });
    housekeeping.hurry();
    // A round comes every five seconds, which the test would not live to see.
    while (housekeeping.ledger.stored.bytes > 4000) await evicted.wait();
  },
);

test('offline from now on: nothing is evicted; online again: it is', async () => {
  await using place = await setUp();
  const { housekeeping, change } = place;
  change({ network: 'offline', limits: { maxSize: 5000, lowWater: 0.8, minFree: 0 } });
  await housekeeping.round();
  assert.equal(housekeeping.ledger.stored.bytes, 10_000);
  change({ network: 'online' });
  await housekeeping.round();
  assert.equal(housekeeping.ledger.stored.bytes, 4000);
});

test('a pin of the configuration that comes or goes is kept to', async () => {
  await using place = await setUp();
  const { housekeeping, change, put, tags, store } = place;
  const manifest = Buffer.from(JSON.stringify({ schemaVersion: 2, manifests: [] }));
  const descriptor = { mediaType: 'a/b', digest: await put(manifest), size: manifest.length };
  const now = Date.now();
  const record = { descriptor, firstSeen: now, checkedAt: now, history: [] };
  await tags.set(repository, parseTag('v1'), record);
  const everything = { reason: 'request', excess: () => Infinity } as const;
  change({ pins: ['docker.io/library/x:*'] });
  await housekeeping.round();
  await housekeeping.evictor.sweep(everything);
  assert.equal(await store.size(descriptor.digest), manifest.length);
  assert.equal(housekeeping.ledger.stored.objects, 1);
  change({ pins: [] });
  await housekeeping.round();
  await housekeeping.evictor.sweep(everything);
  assert.equal(housekeeping.ledger.stored.objects, 0);
});

test('pins tell once that the configuration has others', async () => {
  await using folder = await temporaryFolder();
  let configured = ['docker.io/**'];
  const pins = new Pins({ file: `${folder.path}/pins.json`, configured: () => configured });
  assert.equal(await pins.read(), 'same');
  configured = ['quay.io/**'];
  assert.equal(pins.byTag(repository, parseTag('v1')), true);
  assert.equal(await pins.read(), 'changed');
  assert.equal(await pins.read(), 'same');
  assert.equal(pins.byTag(repository, parseTag('v1')), false);
  assert.deepEqual(pins.list, [{ pattern: 'quay.io/**', from: 'configuration' }]);
});
