import { RegistryError } from '../core/errors.ts';
import { parsePath } from '../core/reference.ts';
import type { Ask } from './ask.ts';
import type { Endpoint } from './endpoint.ts';
import { invalid, UpstreamError } from './failure.ts';
import { pages, type Turn } from './pages.ts';
import { CATALOG_SCOPE } from './scope.ts';

/** Entries of a page, as asked for first; then what the registry likes. */
const PAGE = 1_000;
const REJECTED: readonly number[] = [400, 413, 416, 422];
const MOST = 1_000_000;

/**
 * The paths of all repositories, sorted by code unit; what is no path is left out.
 * @throws RegistryError UNSUPPORTED where the registry does not list them
 */
export async function listRepositories(endpoint: Endpoint, turn: Turn): Promise<readonly string[]> {
  const path = '/v2/_catalog';
  const ask: Ask = { method: 'GET', kind: 'tags', repository: '', path, scope: CATALOG_SCOPE };
  try {
    const paged = await collect(endpoint, turn, {
      ...ask,
      path: `${path}?n=${PAGE}`,
      also: REJECTED,
    });
    const found = paged ?? (await collect(endpoint, turn, ask)) ?? new Set();
    return [...found].toSorted((a, b) => (a < b ? -1 : 1));
  } catch (cause) {
    if (!(cause instanceof UpstreamError) || !WITHOUT.has(cause.reason)) throw cause;
    const message = `${endpoint.host}: this registry does not list its repositories`;
    throw new RegistryError('UNSUPPORTED', message, { cause });
  }
}

/** How registries say that they have no catalog, or none for everybody. */
const WITHOUT: ReadonlySet<string> = new Set(['404', '405', '501']);

/** `undefined` when a page was rejected. */
async function collect(
  endpoint: Endpoint,
  turn: Turn,
  ask: Ask,
): Promise<ReadonlySet<string> | undefined> {
  const found = new Set<string>();
  for await (const { answer, bytes } of pages(endpoint, turn, ask)) {
    if (answer.status >= 300) return undefined;
    const listed = parse(bytes);
    if (listed === undefined) throw invalid(answer.subject, 'not a list of repositories');
    for (const name of listed) found.add(name);
    if (found.size > MOST) throw invalid(answer.subject, `more than ${MOST} repositories`);
  }
  return found;
}

function parse(bytes: Uint8Array): readonly string[] | undefined {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null || !('repositories' in value)) return undefined;
  if (value.repositories === null) return [];
  if (!Array.isArray(value.repositories)) return undefined;
  return value.repositories.filter((name: unknown) => typeof name === 'string' && isPath(name));
}

function isPath(text: string): boolean {
  try {
    parsePath(text);
    return true;
  } catch (error) {
    if (error instanceof RegistryError) return false;
    throw error;
  }
}
