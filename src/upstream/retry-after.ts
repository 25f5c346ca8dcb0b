/** Seconds, 15 minutes: nobody waits longer on an upstream's word. */
export const LONGEST_WAIT = 15 * 60;

/**
 * Seconds that a `Retry-After` header asks to wait, given as such or as a date (RFC 9110 section
 * 10.2.3), however many. `undefined` when it says neither.
 * @param now milliseconds since 1970
 */
export function parseRetryAfter(value: string | undefined, now: number): number | undefined {
  const text = value?.trim() ?? '';
  if (/^\d+$/.test(text)) return Math.min(Number(text), Number.MAX_SAFE_INTEGER);
  if (!/^[A-Za-z]{3,9}, /.test(text)) return undefined;
  const seconds = Math.ceil((Date.parse(text) - now) / 1000);
  return Number.isFinite(seconds) ? Math.max(seconds, 0) : undefined;
}
