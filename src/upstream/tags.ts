import { isTag, type Tag } from '../core/reference.ts';
import type { Ask } from './ask.ts';
import type { Endpoint } from './endpoint.ts';
import { invalid } from './failure.ts';
import { pages, type Turn } from './pages.ts';

/**
 * Entries of a page, as asked for one after the other until one is not refused: what registries
 * commonly give (ECR no more), what the small ones give (Quay), what they like.
 */
const SIZES: readonly (number | undefined)[] = [1_000, 100, undefined];

/** How registries say that they do not like `n`. */
const REJECTED: readonly number[] = [400, 405, 413, 416, 422];

const MOST_TAGS = 1_000_000;

/** Tag lists of one upstream, whose endpoints are not asked again for pages that they refused. */
export class TagLists {
  /** Where in `SIZES` to begin. */
  readonly #first = new WeakMap<Endpoint, number>();

  /**
   * Every tag, sorted by code unit; what is no tag is left out.
   * @param turn a page is asked for in each
   * @throws RegistryError
   */
  async list(endpoint: Endpoint, turn: Turn, repository: string): Promise<readonly Tag[]> {
    const path = `/v2/${repository}/tags/list`;
    const ask: Ask = { method: 'GET', kind: 'tags', repository, path };
    let tags: ReadonlySet<Tag> | undefined;
    for (let index = this.#first.get(endpoint) ?? 0; tags === undefined; index += 1) {
      const size = SIZES[index];
      const paged = { ...ask, path: `${path}?n=${size}`, also: REJECTED };
      tags = await collect(endpoint, turn, size === undefined ? ask : paged);
      if (tags !== undefined) this.#first.set(endpoint, index);
    }
    return [...tags].toSorted((a, b) => (a < b ? -1 : 1));
  }
}

/** `undefined` when a page was rejected. */
async function collect(
  endpoint: Endpoint,
  turn: Turn,
  ask: Ask,
): Promise<ReadonlySet<Tag> | undefined> {
  const tags = new Set<Tag>();
  for await (const { answer, bytes } of pages(endpoint, turn, ask)) {
    if (answer.status >= 300) return undefined;
    const listed = parse(bytes);
    if (listed === undefined) throw invalid(answer.subject, 'not a list of tags');
    for (const tag of listed) tags.add(tag);
    if (tags.size > MOST_TAGS) {
      throw invalid(answer.subject, `more than ${MOST_TAGS} tags, which nobody can list`);
    }
  }
  return tags;
}

function parse(bytes: Uint8Array): readonly Tag[] | undefined {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null || !('tags' in value)) return undefined;
  if (value.tags === null) return [];
  if (!Array.isArray(value.tags)) return undefined;
  return value.tags.filter((tag: unknown): tag is Tag => typeof tag === 'string' && isTag(tag));
}
