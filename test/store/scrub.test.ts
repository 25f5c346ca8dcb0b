import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Pulse } from '../../src/core/pulse.ts';
import { pacer, scrub } from '../../src/store/scrub.ts';
import { pattern } from '../fixtures/collect.ts';
import { keptStore } from '../fixtures/kept-store.ts';
import { temporaryFolder } from '../fixtures/temporary.ts';

test('a rate that grows is kept to from then on', { timeout: 10_000 }, async () => {
  let rate = 1;
  const pace = pacer(() => rate);
  const started = performance.now();
  const passing = pace(1_000_000);
  // At the old rate it would take eleven days.
  setTimeout(() => (rate = 1e9), 50);
  await passing;
  assert.ok(performance.now() - started >= 40);
});

test('a rate that shrinks is kept to from then on', async () => {
  let rate = 1e9;
  const pace = pacer(() => rate);
  await pace(1_000_000);
  rate = 1_000_000;
  const started = performance.now();
  await pace(100_000);
  assert.ok(performance.now() - started >= 30);
});

test(
  'turned off in the middle it lets go of what it reads, and turned on it begins again',
  { timeout: 20_000 },
  async () => {
    await using folder = await temporaryFolder();
    await using place = await keptStore(folder.path);
    const { paths, store, housekeeping, put } = place;
    await housekeeping.looked();
    for (let seed = 1; seed <= 3; seed += 1) await put(pattern(200_000, seed));
    let rate = 1;
    const stop = new AbortController();
    const [rests, errors]: [number[], Error[]] = [[], []];
    const rested = new Pulse();
    const going = Promise.withResolvers<void>();
    const running = scrub({
      paths,
      store,
      rate: () => rate,
      signal: stop.signal,
      onError: (error) => errors.push(error),
      wait: async (milliseconds) => {
        rests.push(milliseconds);
        rested.give();
        if (rests.length === 1) await going.promise;
        else stop.abort();
      },
    });
    setTimeout(() => (rate = 0), 50);
    while (rests.length === 0) await rested.wait();
    assert.equal(await housekeeping.evictor.sweep({ reason: 'request', excess: () => 600_000 }), 3);
    rate = 1e9;
    going.resolve();
    await running;
    assert.deepEqual(errors, []);
    assert.ok((rests[1] ?? 0) > 60_000, 'a whole round');
  },
);
