/** Whether the value is a JSON object. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function isTextRecord(value: unknown): value is Record<string, string> {
  return isRecord(value) && Object.values(value).every((text) => typeof text === 'string');
}

/** The first of the keys that is none of those, with those that there are; `undefined`: there is none. */
export function unknownKey(value: object, known: readonly string[]): string | undefined {
  const key = Object.keys(value).find((one) => !known.includes(one));
  if (key === undefined) return undefined;
  const there = known.length === 0 ? 'there are none' : `there are ${known.join(', ')}`;
  return `no such key: ${JSON.stringify(key.slice(0, 100))}; ${there}`;
}

/** Whether the value counts bytes or items: a whole number from 0 on. */
export function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}
