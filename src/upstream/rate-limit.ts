import { headerOf, type Headers } from './exchange.ts';

/** How many pulls an upstream still gives. */
export interface Budget {
  readonly limit: number;
  readonly remaining: number;
  readonly windowSeconds: number | undefined;
}

/** Reads `ratelimit-limit: 100;w=21600` and `ratelimit-remaining: 97;w=21600` as Docker Hub sends them. */
export function budgetOf(headers: Headers): Budget | undefined {
  const limit = parse(headerOf(headers, 'ratelimit-limit'));
  const remaining = parse(headerOf(headers, 'ratelimit-remaining'));
  if (limit === undefined || remaining === undefined) return undefined;
  return {
    limit: limit.count,
    remaining: remaining.count,
    windowSeconds: limit.window ?? remaining.window,
  };
}

function parse(
  value: string | undefined,
): { count: number; window: number | undefined } | undefined {
  const [, count, window] = /^\s*(\d{1,15})\s*(?:;.*?\bw=(\d{1,15}))?/.exec(value ?? '') ?? [];
  if (count === undefined) return undefined;
  return { count: Number(count), window: window === undefined ? undefined : Number(window) };
}
