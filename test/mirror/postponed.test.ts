import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RegistryError } from '../../src/core/errors.ts';
import { Postponed } from '../../src/mirror/postponed.ts';

/** The cache looks at the clock once a millisecond. */
async function forgotten(postponed: Postponed, key: string): Promise<void> {
  while (postponed.reason(key) !== undefined) await new Promise(setImmediate);
}

test('who failed to answer is left alone for five seconds', async (t) => {
  const start = performance.now();
  let ahead = 0;
  t.mock.method(performance, 'now', () => start + ahead);
  const postponed = new Postponed();
  postponed.failed('x', new RegistryError('TOOMANYREQUESTS', 'slow down'));
  postponed.failed('y', new Error('of our own'));
  ahead = 4_900;
  assert.equal(postponed.reason('x'), 'rate-limited');
  assert.equal(postponed.reason('y'), undefined);
  ahead = 5_100;
  await forgotten(postponed, 'x');
});

test('nobody waits again for an answer that is late, however long it takes', async (t) => {
  const start = performance.now();
  let ahead = 0;
  t.mock.method(performance, 'now', () => start + ahead);
  const postponed = new Postponed();
  const [answered, failed] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  postponed.late('x', answered.promise);
  postponed.late('y', failed.promise);
  postponed.failed('z', new RegistryError('UPSTREAM_TIMEOUT', 'slow'));
  ahead = 60_000;
  await forgotten(postponed, 'z');
  assert.equal(postponed.reason('x'), 'slow');
  assert.equal(postponed.reason('y'), 'slow');
  answered.resolve();
  failed.reject(new RegistryError('UPSTREAM_UNAVAILABLE', 'reset'));
  await Promise.allSettled([answered.promise, failed.promise]);
  assert.equal(postponed.reason('x'), undefined);
  assert.equal(postponed.reason('y'), 'unreachable');
  ahead = 66_000;
  await forgotten(postponed, 'y');
});
