import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readDocument } from '../../src/config/document.ts';

test('aliases of aliases of aliases are told at the first that means too much, and followed no further', () => {
  const lines = ['a0: &a0 [x, x, x, x, x, x, x, x, x]'];
  for (let level = 1; level <= 12; level += 1) {
    const below = Array.from({ length: 9 }, () => `*a${level - 1}`).join(', ');
    lines.push(`a${level}: &a${level} [${below}]`);
  }
  const { faults } = readDocument(lines.join('\n'), 'c.yaml');
  assert.equal(faults.length, 1);
  assert.equal(faults[0]?.message, 'aliases stand for more than 10000 values');
  assert.equal(faults[0]?.key, 'a4[0]');
});

test('what is written a thousand times by aliases is read', () => {
  const list = Array.from({ length: 1_000 }, () => '*one').join(', ');
  const { tree, faults } = readDocument(`one: &one { a: 1, b: 2 }\nmany: [${list}]`, 'c.yaml');
  assert.deepEqual(faults, []);
  const many = tree?.value['many'];
  assert.deepEqual(
    many,
    Array.from({ length: 1_000 }, () => ({ a: 1, b: 2 })),
  );
});
