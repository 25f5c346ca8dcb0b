import { RegistryError } from './errors.ts';

/** Part of a blob whose size may not be known yet: from a byte to another (both included) or to the end, or the last bytes. */
export type Range = { readonly from: number; readonly to?: number } | { readonly last: number };

/** Bytes `start` up to, not including, `end`. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/**
 * The bytes a range means in a blob of `size` bytes, its end clamped (RFC 9110 section 14.1.2).
 * @throws RegistryError RANGE_INVALID, with the size as `detail`, when it holds none of them
 */
export function spanOf(range: Range | undefined, size: number): Span {
  if (range === undefined) return { start: 0, end: size };
  const span =
    'last' in range
      ? { start: Math.max(0, size - range.last), end: size }
      : { start: range.from, end: Math.min(size, (range.to ?? size - 1) + 1) };
  if (span.start < span.end) return span;
  throw new RegistryError(
    'RANGE_INVALID',
    `the blob has ${size} bytes, none of them in the range`,
    {
      detail: { size },
    },
  );
}
