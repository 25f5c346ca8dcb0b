import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Deadline, systemClock } from '../../src/upstream/clock.ts';
import { Lane } from '../../src/upstream/lane.ts';
import { budgetOf } from '../../src/upstream/rate-limit.ts';
import { backOff } from '../../src/upstream/retry.ts';
import { parseRetryAfter } from '../../src/upstream/retry-after.ts';

const NOW = Date.parse('2026-01-01T00:00:00Z');

test('Retry-After in seconds and as a date', () => {
  assert.equal(parseRetryAfter('17', NOW), 17);
  assert.equal(parseRetryAfter(' 0 ', NOW), 0);
  assert.equal(parseRetryAfter('999999999999', NOW), 999_999_999_999);
  assert.equal(parseRetryAfter('9'.repeat(400), NOW), Number.MAX_SAFE_INTEGER);
  assert.equal(parseRetryAfter('Thu, 01 Jan 2026 00:01:00 GMT', NOW), 60);
  assert.equal(parseRetryAfter('Wed, 31 Dec 2025 00:00:00 GMT', NOW), 0);
  for (const text of [undefined, '', '-1', '1.5', 'soon', '2026-01-01', 'Foo, bar']) {
    assert.equal(parseRetryAfter(text, NOW), undefined, text);
  }
  fc.assert(
    fc.property(fc.string(), (text) => {
      const seconds = parseRetryAfter(text, NOW);
      assert.ok(seconds === undefined || (seconds >= 0 && Number.isSafeInteger(seconds)));
    }),
  );
});

test('rate limit headers', () => {
  const budget = (limit: string, remaining: string) =>
    budgetOf({ 'ratelimit-limit': limit, 'ratelimit-remaining': remaining });
  assert.deepEqual(budget('100;w=21600', '76;w=21600'), {
    limit: 100,
    remaining: 76,
    windowSeconds: 21_600,
  });
  assert.deepEqual(budget('200', '0'), { limit: 200, remaining: 0, windowSeconds: undefined });
  assert.equal(budget('unlimited', '5'), undefined);
  assert.equal(budgetOf({}), undefined);
});

test('pauses between attempts double, spread, up to five seconds', () => {
  assert.deepEqual(
    [0, 1, 2, 3].map((attempt) => backOff(attempt, () => 1)),
    [200, 400, 800, 1_600],
  );
  assert.equal(
    backOff(0, () => 0),
    100,
  );
  assert.equal(
    backOff(50, () => 1),
    5_000,
  );
});

test('a lane lets in as many as it is wide, in order', async () => {
  const lane = new Lane(1);
  const far = new Deadline(systemClock, 60_000);
  const first = await lane.enter(far);
  const order: string[] = [];
  const waiting = ['second', 'third'].map(async (name) => {
    using _place = await lane.enter(far);
    order.push(name);
  });
  assert.equal(await lane.enter(new Deadline(systemClock, 1)), undefined);
  assert.equal(lane.waiting, 2);
  first?.[Symbol.dispose]();
  first?.[Symbol.dispose]();
  const late = lane.enter(far);
  assert.equal(lane.inFlight, 1);
  await Promise.all(waiting);
  assert.deepEqual(order, ['second', 'third']);
  (await late)?.[Symbol.dispose]();
  assert.equal(lane.inFlight, 0);
});
