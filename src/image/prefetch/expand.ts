import type { Digest } from '../../core/digest.ts';
import { RegistryError } from '../../core/errors.ts';
import { formatReference, type Repository, type Tag } from '../../core/reference.ts';
import type { PrefetchEvent } from './event.ts';
import type { Stock } from './stock.ts';
import { parseWanted } from './wanted.ts';

/** One image, and what it was asked for by. */
export interface Item {
  readonly text: string;
  readonly repository: Repository;
  readonly at: Tag | Digest;
  readonly notes: readonly string[];
}

export interface ExpandOptions {
  readonly stock: Pick<Stock, 'route' | 'tags'>;
  /** Tags that one pattern may fit. */
  readonly maxTags: number;
  readonly observe: (event: PrefetchEvent) => void;
}

/**
 * The images that a text asks for: one, or those whose tags fit.
 * @throws RegistryError NAME_INVALID, NAME_UNKNOWN for a registry that is not configured or when no tag
 *   fits, REQUEST_INVALID when more do than are allowed
 */
export async function expand(text: string, options: ExpandOptions): Promise<readonly Item[]> {
  const { stock, maxTags, observe } = options;
  const wanted = parseWanted(text);
  const repository = stock.route(wanted.repository);
  if ('at' in wanted) return [{ text, repository, at: wanted.at, notes: [] }];
  const { items, served } = await stock.tags(repository);
  const fitting = items.filter((tag) => wanted.fits(tag));
  observe({ type: 'expanded', pattern: text, matched: fitting.length, of: items.length });
  if (fitting.length === 0) {
    throw new RegistryError('NAME_UNKNOWN', `none of ${items.length} tags fits ${text}`);
  }
  if (fitting.length > maxTags) {
    throw new RegistryError(
      'REQUEST_INVALID',
      `${fitting.length} of ${items.length} tags fit ${text}, more than the ${maxTags} that are allowed: narrow the pattern, or allow more`,
    );
  }
  const stale = served?.result === 'stale';
  const notes = stale ? [`the upstream could not be asked for its tags: ${served.detail}`] : [];
  return fitting.map((tag) => ({ text, repository, at: tag, notes }));
}

/** Each once, however often it was asked for. */
export function distinct(items: readonly Item[]): readonly Item[] {
  const known = new Map<string, Item>();
  for (const item of items) {
    const key = formatReference(item.repository, item.at);
    if (!known.has(key)) known.set(key, item);
  }
  return [...known.values()];
}
