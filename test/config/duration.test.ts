import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseDuration } from '../../src/config/duration.ts';

test('a duration is the sum of its amounts', () => {
  for (const [text, milliseconds] of [
    ['500ms', 500],
    ['30s', 30_000],
    ['5m', 300_000],
    ['1h', 3_600_000],
    ['7d', 604_800_000],
    ['1h30m', 5_400_000],
    ['1d2h3m4s5ms', 93_784_005],
    ['0', 0],
    ['0s', 0],
  ] as const) {
    assert.equal(parseDuration(text), milliseconds, text);
  }
});

test('what is not a duration is refused', () => {
  for (const text of [
    '',
    '5',
    '-5s',
    '5 s',
    '1.5h',
    '30m1h',
    '1s1s',
    '5S',
    's',
    '1e3s',
    '5s ',
    '99999999999999999d',
  ]) {
    assert.equal(parseDuration(text), undefined, JSON.stringify(text));
  }
});

const UNITS = { d: 86_400_000, h: 3_600_000, m: 60_000, s: 1000, ms: 1 } as const;

test('any amounts in falling order add up', () => {
  const amounts = fc.record(
    Object.fromEntries(Object.keys(UNITS).map((unit) => [unit, fc.nat(100_000)])),
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(amounts, (given) => {
      const parts = Object.entries(UNITS).filter(([unit]) => given[unit] !== undefined);
      const text = parts.map(([unit]) => `${given[unit]}${unit}`).join('');
      const sum = parts.reduce((total, [unit, scale]) => total + (given[unit] ?? 0) * scale, 0);
      assert.equal(parseDuration(text), text === '' ? undefined : sum);
    }),
  );
});

test('any text is a duration of whole milliseconds or none', () => {
  const near = fc.string({ unit: fc.constantFrom(...Array.from('0159dhms. -')) });
  fc.assert(
    fc.property(fc.oneof(fc.string(), near), (text) => {
      const parsed = parseDuration(text);
      assert.ok(parsed === undefined || (Number.isSafeInteger(parsed) && parsed >= 0));
    }),
  );
});
