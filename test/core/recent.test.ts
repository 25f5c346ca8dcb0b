import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Recent } from '../../src/core/recent.ts';

test('knows what was noted last, and of so many keys only', () => {
  const recent = new Recent<number>(2);
  recent.note('a', 1);
  recent.note('b', 2);
  recent.note('a', 3);
  recent.note('c', 4);
  assert.deepEqual(
    ['a', 'b', 'c'].map((key) => recent.get(key)),
    [3, undefined, 4],
  );
  recent.forget('a');
  recent.note('d', 5);
  assert.deepEqual(
    ['a', 'c', 'd'].map((key) => recent.get(key)),
    [undefined, 4, 5],
  );
});
