const FIRST = 200;
const LONGEST = 5_000;

/** Milliseconds to wait after attempt number `attempt` (from 0): doubled each time, and spread so that clients do not march in step. */
export function backOff(attempt: number, random: () => number = Math.random): number {
  return Math.min(FIRST * 2 ** attempt, LONGEST) * (0.5 + random() / 2);
}
