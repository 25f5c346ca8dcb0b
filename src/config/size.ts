/** A number, a decimal fraction allowed, with or without a unit: `10MiB`, `1.5GB`, `4096`. */
export const SIZE = /^(\d+(?:\.\d+)?) ?(B|[kK]B|MB|GB|TB|KiB|MiB|GiB|TiB)?$/;

const UNITS: Readonly<Record<string, number>> = {
  B: 1,
  kB: 1e3,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
};

/** Whole bytes, rounded; `undefined` when the text is not a size. Without a unit the number is bytes. */
export function parseSize(text: string): number | undefined {
  const [, amount, unit = 'B'] = SIZE.exec(text) ?? [];
  const scale = UNITS[unit];
  if (amount === undefined || scale === undefined) return undefined;
  if (scale === 1 && amount.includes('.')) return undefined;
  const bytes = Math.round(Number(amount) * scale);
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}
