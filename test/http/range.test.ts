import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import * as fc from 'fast-check';
import { spanOf } from '../../src/core/range.ts';
import { isReversed, parseRanges } from '../../src/http/range.ts';

const READ = [
  ['bytes=0-4', [{ from: 0, to: 4 }]],
  ['bytes=5-', [{ from: 5 }]],
  ['bytes=-3', [{ last: 3 }]],
  ['bytes=-0', [{ last: 0 }]],
  ['BYTES=0-0', [{ from: 0, to: 0 }]],
  [
    'bytes=0-1,4-5',
    [
      { from: 0, to: 1 },
      { from: 4, to: 5 },
    ],
  ],
  [
    'bytes=0-1 ,\t 4-5',
    [
      { from: 0, to: 1 },
      { from: 4, to: 5 },
    ],
  ],
  ['bytes=,0-1,,', [{ from: 0, to: 1 }]],
  ['bytes=007-9', [{ from: 7, to: 9 }]],
  ['bytes=5-4', [{ from: 5, to: 4 }]],
] as const;

const IGNORED = [
  '',
  'bytes',
  'bytes=',
  'bytes=,',
  'bytes=-',
  'bytes=a-b',
  'bytes=5-4,0-1',
  'bytes=1-2-3',
  'bytes=+1-2',
  'bytes=0x1-2',
  'bytes=1 -2',
  'bytes= =1-2',
  'bytes=0-1,x',
  'items=0-1',
  '=0-1',
  'bytes =0-1',
  'bytes=1.5-2',
  'bytes=１-２',
  `bytes=${'0-0,'.repeat(1025)}`,
] as const;

suite('a Range header', () => {
  for (const [header, ranges] of READ) {
    test(`${header} is read`, () => assert.deepEqual(parseRanges(header), ranges));
  }
  for (const header of IGNORED) {
    test(`${header.slice(0, 20)} is ignored`, () => assert.equal(parseRanges(header), undefined));
  }
  test('that is absent asks for no part', () => assert.equal(parseRanges(undefined), undefined));
  test('may have as many parts as the biggest askers send', () => {
    assert.equal(parseRanges(`bytes=${'0-0,'.repeat(1024)}`)?.length, 1024);
  });
  test('with positions that no number holds still means its blob', () => {
    const [range] = parseRanges(`bytes=2-${'9'.repeat(40)}`) ?? [];
    assert.deepEqual(spanOf(range, 10), { start: 2, end: 10 });
    const [beyond] = parseRanges(`bytes=${'9'.repeat(40)}-`) ?? [];
    assert.throws(() => spanOf(beyond, 10), { code: 'RANGE_INVALID' });
  });
});

const position = fc.nat({ max: 2 ** 40 });
const range = fc.oneof(
  fc.record({ from: position }, { noNullPrototype: true }),
  fc.record({ last: position }, { noNullPrototype: true }),
  fc.tuple(position, position).map(([a, b]) => ({ from: Math.min(a, b), to: Math.max(a, b) })),
);

function written(part: { from?: number; to?: number; last?: number }): string {
  return part.last === undefined ? `${part.from}-${part.to ?? ''}` : `-${part.last}`;
}

test('what is written as ranges is read as the same ranges', () => {
  fc.assert(
    fc.property(fc.array(range, { minLength: 1, maxLength: 20 }), (ranges) => {
      assert.deepEqual(parseRanges(`bytes=${ranges.map(written).join(', ')}`), ranges);
    }),
  );
});

test('nothing that a client can send makes the parser throw', () => {
  const noise = fc.oneof(
    fc.string(),
    fc.string({ unit: fc.constantFrom('0', '1', '9', '-', ',', '=', ' ', '\t', 'b') }),
  );
  fc.assert(
    fc.property(noise, (text) => {
      const ranges = parseRanges(`bytes=${text}`) ?? [];
      for (const part of ranges) {
        if ('last' in part) assert.ok(part.last >= 0);
        else assert.ok(part.from >= 0 && (ranges.length === 1 || !isReversed(part)));
      }
    }),
    { numRuns: 2000 },
  );
});
