const UNITS = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
] as const;

/** How long ago a moment is (milliseconds since 1970), in its largest unit. */
export function age(moment: number, now = Date.now()): string {
  const passed = Math.max(0, now - moment);
  const found = UNITS.find(([, length]) => passed >= length);
  const [unit, length] = found ?? ['s', 1000];
  return `${Math.floor(passed / length)}${unit}`;
}
