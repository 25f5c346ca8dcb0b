import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseSelection, SelectionError } from '../../src/cli/selection.ts';

const COUNT = 10;
const ALL = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9];

for (const [typed, positions] of [
  ['5', [4]],
  ['10', [9]],
  ['1,3,5', [0, 2, 4]],
  ['1-5', [0, 1, 2, 3, 4]],
  ['1-3,7,9-10', [0, 1, 2, 6, 8, 9]],
  ['5-1', [0, 1, 2, 3, 4]],
  ['9,2-3,1', [0, 1, 2, 8]],
  [' 2 , 2 ', [1]],
  [' 1 - 2 ', [0, 1]],
  ['3,', [2]],
  ['+3', [2]],
  ['a', ALL],
  [' A ', ALL],
] as const) {
  test(`a selection: ${JSON.stringify(typed)}`, () => {
    assert.deepEqual(parseSelection(typed, COUNT), { kind: 'chosen', positions: [...positions] });
  });
}

for (const typed of ['q', 'Q', ' q ']) {
  test(`a selection is left with ${JSON.stringify(typed)}`, () => {
    assert.deepEqual(parseSelection(typed, COUNT), { kind: 'quit' });
  });
}

for (const [typed, message] of [
  ['', 'No valid layers specified.'],
  [' , ', 'No valid layers specified.'],
  ['0', 'Layer 0 is out of range. Must be between 1 and 10.'],
  ['11', 'Layer 11 is out of range. Must be between 1 and 10.'],
  ['1-11', 'Layer numbers must be between 1 and 10.'],
  ['1-99999999999999999999', 'Layer numbers must be between 1 and 10.'],
  ['1--2', 'Layer numbers must be between 1 and 10.'],
  ['-3', "Invalid range format. Use format like '1-5'."],
  ['1-x', "Invalid range format. Use format like '1-5'."],
  ['x', "Invalid number: 'x'."],
  ['1.5', "Invalid number: '1.5'."],
  ['a,1', "Invalid number: 'a'."],
  ['1,q', "Invalid number: 'q'."],
] as const) {
  test(`no selection: ${JSON.stringify(typed)}`, () => {
    assert.throws(() => parseSelection(typed, COUNT), new SelectionError(message));
  });
}

test('whatever is typed is a selection of what there is, or is refused', () => {
  const pieces = fc.array(fc.constantFrom('1', '2', '9', '0', '-', ',', ' ', 'a', 'q', '+'));
  fc.assert(
    fc.property(pieces, fc.nat(20), (typed, count) => {
      try {
        const selection = parseSelection(typed.join(''), count);
        if (selection.kind === 'quit') return;
        const { positions } = selection;
        assert.deepEqual(
          [...positions],
          [...new Set(positions)].toSorted((one, other) => one - other),
        );
        assert.ok(positions.every((position) => position >= 0 && position < count));
      } catch (error) {
        if (!(error instanceof SelectionError)) throw error;
      }
    }),
  );
});
