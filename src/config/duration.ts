/**
 * Whole amounts, each unit once, largest first: `30s`, `500ms`, `1h30m`. Matches the empty text too:
 * the JSON Schema holds this pattern, and Go's expressions, which Helm checks it with, cannot look ahead.
 */
export const DURATION = /^(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?$/;

const UNITS = [86_400_000, 3_600_000, 60_000, 1000, 1] as const;

/** Milliseconds; `undefined` when the text is not a duration. `0` needs no unit. */
export function parseDuration(text: string): number | undefined {
  if (text === '0') return 0;
  if (text === '') return undefined;
  const amounts = DURATION.exec(text)?.slice(1);
  if (amounts === undefined) return undefined;
  const total = UNITS.reduce((sum, unit, index) => sum + unit * Number(amounts[index] ?? 0), 0);
  return Number.isSafeInteger(total) ? total : undefined;
}
