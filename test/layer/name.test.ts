import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodeName, printableName, printedNames } from '../../src/layer/name.ts';

test('of what was printed the name can be found again', () => {
  const strange = fc.constantFrom(0xe9, 0xff, 0x80, 0x9f, 0x1b, 0x0a, 0x7f, 0xc3, 0xa9, 0x5c, 0x78);
  const bytes = fc.array(fc.oneof(strange, fc.integer({ min: 1, max: 255 })), { maxLength: 12 });
  fc.assert(
    fc.property(bytes, (bytes) => {
      const name = decodeName(Uint8Array.from(bytes));
      const printed = printableName(name);
      // A name may hold what looks like an escape, or both meanings of one; it is then had by a pattern.
      fc.pre(!name.includes('\\') && !/[\x80-\x9f]/.test(name));
      assert.ok(printed === name || printedNames(printed).includes(name), printed);
    }),
    { numRuns: 2000 },
  );
});

const CASES: readonly (readonly [printed: string, names: readonly string[]])[] = [
  ['plain', []],
  ['caf\\xe9.txt', ['caf\udce9.txt']],
  ['caf\\xc3\\xa9', ['café']],
  ['\\x1b[31m', ['\u001b[31m']],
  ['a\\x85b', ['a\udc85b', 'a\u0085b']],
  ['\\u{202e}x', ['\u202ex']],
  ['\\u{d800}\\u{110000}\\xg1', []],
];
for (const [printed, names] of CASES) {
  test(`${printed} may stand for so many names: ${names.length}`, () =>
    assert.deepEqual(printedNames(printed), names));
}
