import type { Range } from '../core/range.ts';

/** As many parts as the biggest askers send in one request; more of them is no use to anyone. */
const MOST_RANGES = 1024;

const FIRST_TO_LAST = /^([0-9]+)-([0-9]*)$/;
const SUFFIX = /^-([0-9]+)$/;

/**
 * The ranges of a `Range` header (RFC 9110 section 14.2), in the order asked for, at least one.
 * `undefined` when it is to be ignored: absent, another unit, malformed, or with too many parts. One
 * that stands alone may be reversed.
 */
export function parseRanges(header: string | undefined): readonly Range[] | undefined {
  if (header === undefined) return undefined;
  const equals = header.indexOf('=');
  if (header.slice(0, Math.max(0, equals)).toLowerCase() !== 'bytes') return undefined;
  const ranges: Range[] = [];
  for (const part of header.slice(equals + 1).split(',')) {
    const text = trimBlanks(part);
    // "A recipient MUST parse and ignore a reasonable number of empty list elements" (section 5.6.1).
    if (text === '') continue;
    const range = parseRange(text);
    if (range === undefined || ranges.length === MOST_RANGES) return undefined;
    ranges.push(range);
  }
  if (ranges.length > 1 && ranges.some(isReversed)) return undefined;
  return ranges.length === 0 ? undefined : ranges;
}

/** Ends before it begins: invalid, and so to be ignored or, as most servers do, rejected. */
export function isReversed(range: Range): boolean {
  return 'from' in range && range.to !== undefined && range.to < range.from;
}

function parseRange(text: string): Range | undefined {
  const last = SUFFIX.exec(text)?.[1];
  if (last !== undefined) return { last: toPosition(last) };
  const [, from, to] = FIRST_TO_LAST.exec(text) ?? [];
  if (from === undefined) return undefined;
  const start = toPosition(from);
  if (to === undefined || to === '') return { from: start };
  const end = toPosition(to);
  return { from: start, to: end };
}

/** Beyond what any blob reaches, one position is as good as another. */
function toPosition(digits: string): number {
  return Math.min(Number(digits), Number.MAX_SAFE_INTEGER - 1);
}

function trimBlanks(text: string): string {
  return text.replace(/^[ \t]+|[ \t]+$/g, '');
}
