import { isTag, type Tag } from '../core/reference.ts';
import type { Ask, Effort, Endpoint } from './endpoint.ts';
import { invalid } from './failure.ts';
import { pages } from './pages.ts';

/** The largest page that every registry we know of gives. */
const PAGE = 100;

/** How registries say that they do not like `n`. */
const REJECTED: readonly number[] = [400, 405, 413, 416, 422];

/** Every tag, sorted by code unit; what is no tag is left out. */
export async function listTags(
  endpoint: Endpoint,
  effort: Effort,
  repository: string,
): Promise<readonly Tag[]> {
  const path = `/v2/${repository}/tags/list`;
  const ask: Ask = { method: 'GET', kind: 'tags', repository, path };
  const paged = { ...ask, path: `${path}?n=${PAGE}`, also: REJECTED };
  const tags = (await collect(endpoint, effort, paged)) ?? (await collect(endpoint, effort, ask));
  return [...new Set(tags)].toSorted((a, b) => (a < b ? -1 : 1));
}

/** `undefined` when a page was rejected. */
async function collect(
  endpoint: Endpoint,
  effort: Effort,
  ask: Ask,
): Promise<readonly Tag[] | undefined> {
  const tags: Tag[] = [];
  for await (const { answer, bytes } of pages(endpoint, effort, ask)) {
    if (answer.status >= 300) return undefined;
    const listed = parse(bytes);
    if (listed === undefined) throw invalid(answer.subject, 'not a list of tags');
    tags.push(...listed);
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
