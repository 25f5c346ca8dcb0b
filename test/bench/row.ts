import type { Nginx } from './nginx.ts';
import type { Scratch } from '../../e2e/lib/scratch.ts';
import type { Tree } from './tree.ts';

/** One line of the table. */
export interface Row {
  readonly what: string;
  readonly layover: string;
  readonly dockerRegistry: string;
  readonly nginx: string;
  readonly ratio: string;
  /** What is aimed at, and whether this run reached it; left out: only reported. */
  readonly target?: { readonly text: string; readonly met: boolean };
}

export interface Bench {
  readonly scratch: Scratch;
  readonly tree: Tree;
  /** Both proxies' upstream. */
  readonly upstream: Nginx;
  /** A line to the upstream that gives so many bytes a second in all. */
  line(bytesPerSecond: number): Promise<Line>;
  readonly size: 'full' | 'quick';
  say(text: string): void;
}

export interface Line extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
}

export const MB = 1_000_000;
export const GB = 1_000_000_000;
export const NONE = '–';

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((one, other) => one - other);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

export function fixed(value: number, unit: string, digits = 2): string {
  return `${value.toFixed(digits)} ${unit}`;
}

/** How the values of one server spread, for a reader to judge the median by. */
export function spread(values: readonly number[], unit: string, digits = 2): string {
  const text = fixed(median(values), unit, digits);
  if (values.length < 2) return text;
  return `${text} (${Math.min(...values).toFixed(digits)}–${Math.max(...values).toFixed(digits)})`;
}
