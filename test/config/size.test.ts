import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseSize } from '../../src/config/size.ts';

test('decimal and binary units are told apart', () => {
  for (const [text, bytes] of [
    ['0', 0],
    ['4096', 4096],
    ['4096B', 4096],
    ['2kB', 2000],
    ['2KB', 2000],
    ['2GB', 2e9],
    ['10MiB', 10_485_760],
    ['50GiB', 53_687_091_200],
    ['1.5 GiB', 1_610_612_736],
    ['1TiB', 1_099_511_627_776],
  ] as const) {
    assert.equal(parseSize(text), bytes, text);
  }
});

test('what is not a size is refused', () => {
  for (const text of [
    '',
    '-1',
    '1.5',
    '1.5B',
    '10Mi',
    '10mib',
    '10 M',
    '1e9',
    'MiB',
    '0x10',
    '1  GB',
    '9007199254740993',
    '99999999TiB',
  ]) {
    assert.equal(parseSize(text), undefined, JSON.stringify(text));
  }
});

test('any whole amount of any unit is that many bytes', () => {
  const units = {
    B: 1n,
    kB: 10n ** 3n,
    MB: 10n ** 6n,
    GB: 10n ** 9n,
    KiB: 2n ** 10n,
    MiB: 2n ** 20n,
    GiB: 2n ** 30n,
  };
  fc.assert(
    fc.property(
      fc.nat(8_000_000),
      fc.constantFrom(...Object.entries(units)),
      (amount, [unit, scale]) => {
        const bytes = BigInt(amount) * scale;
        const expected = bytes <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(bytes) : undefined;
        assert.equal(parseSize(`${amount}${unit}`), expected);
      },
    ),
  );
});

test('any text is a size of whole bytes or none', () => {
  const near = fc.string({ unit: fc.constantFrom(...Array.from('019.BkKMGi ')) });
  fc.assert(
    fc.property(fc.oneof(fc.string(), near), (text) => {
      const parsed = parseSize(text);
      assert.ok(parsed === undefined || (Number.isSafeInteger(parsed) && parsed >= 0));
    }),
  );
});
