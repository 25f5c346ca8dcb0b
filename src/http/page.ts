import { RegistryError } from '../core/errors.ts';

/** Which part of a listing is asked for (distribution specification, "Listing Tags"). */
export interface PageQuery {
  /** `undefined`: all of it. */
  readonly n: number | undefined;
  /** Where the page before ended; need not exist any more. */
  readonly last: string | undefined;
}

export interface Page<T extends string> {
  readonly items: readonly T[];
  /** What the next page starts after; `undefined` when this is the last one. */
  readonly next: T | undefined;
}

/** @throws RegistryError PAGINATION_NUMBER_INVALID */
export function parsePageQuery(query: URLSearchParams): PageQuery {
  const n = query.get('n') ?? undefined;
  if (n !== undefined && !/^[0-9]{1,9}$/.test(n)) {
    throw new RegistryError(
      'PAGINATION_NUMBER_INVALID',
      `n is a number of entries, not ${JSON.stringify(n.slice(0, 40))}`,
    );
  }
  return { n: n === undefined ? undefined : Number(n), last: query.get('last') ?? undefined };
}

/** Cuts a page out of items that are sorted by code unit. */
export function pageOf<T extends string>(items: readonly T[], { n, last }: PageQuery): Page<T> {
  const start = last === undefined ? 0 : countUpTo(items, last);
  const end = n === undefined ? items.length : Math.min(items.length, start + n);
  const page = items.slice(start, end);
  return { items: page, next: end < items.length ? page.at(-1) : undefined };
}

/** A relative `Link` to the next page (RFC 8288), which keeps everything else that was asked. */
export function nextLink(path: string, query: URLSearchParams, last: string): string {
  const next = new URLSearchParams(query);
  next.set('last', last);
  return `<${path}?${next.toString()}>; rel="next"`;
}

/** How many of the sorted items are not greater than `last`. */
function countUpTo(items: readonly string[], last: string): number {
  let low = 0;
  let high = items.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((items[middle] ?? '') <= last) low = middle + 1;
    else high = middle;
  }
  return low;
}
