import assert from 'node:assert/strict';
import { test } from 'node:test';
import { lazily } from '../../src/core/lazily.ts';

test('it is made when it is first asked for, once for all who ask', async () => {
  let times = 0;
  const get = lazily(async () => ({ number: (times += 1) }));
  assert.equal(times, 0);
  const [one, other] = await Promise.all([get(), get()]);
  assert.equal(one, other);
  assert.equal(await get(), one);
  assert.equal(times, 1);
});

test('a failure is told to all who wait for it, and is not kept', async () => {
  let times = 0;
  const get = lazily(async () => {
    times += 1;
    if (times === 1) throw new Error('not yet');
    return times;
  });
  const both = await Promise.allSettled([get(), get()]);
  assert.deepEqual(
    both.map(({ status }) => status),
    ['rejected', 'rejected'],
  );
  assert.equal(await get(), 2);
  assert.equal(await get(), 2);
});
