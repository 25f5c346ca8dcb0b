import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Turn } from '../../src/http/turn.ts';

test('what was made in one turn of the event loop leaves at its end, in order', async () => {
  const turn = new Turn();
  const left: string[] = [];
  const leaving = (name: string) => ({ leave: () => void left.push(name) });
  turn.atEnd(leaving('first'));
  await Promise.resolve();
  turn.atEnd({
    leave: () => {
      left.push('second');
      turn.atEnd(leaving('of the next turn'));
    },
  });
  await new Promise((resolve) => process.nextTick(resolve));
  turn.atEnd(leaving('third'));
  assert.deepEqual(left, []);
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(left, ['first', 'second', 'third']);
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(left, ['first', 'second', 'third', 'of the next turn']);
});
