import type { Digest } from '../core/digest.ts';
import type { Tag } from '../core/reference.ts';
import type { Effort, Endpoint } from './endpoint.ts';
import { acceptManifests } from './manifests.ts';

/** A URL that was asked: the registry's, its token server's, or where it redirected to. */
export interface Hop {
  readonly role: 'api' | 'auth' | 'redirect';
  /** Without the query, which may be signed. */
  readonly url: string;
}

/** Told of every request as it leaves. */
export type Visit = (role: Hop['role'], url: URL) => void;

/**
 * Asks an endpoint that knows nothing yet, and keeps whom it turned to; each URL once. A manifest is
 * asked for by HEAD, of a blob the first byte, since some registries redirect GET alone.
 * @throws RegistryError
 */
export async function trace(
  make: (visit: Visit) => Endpoint,
  effort: Effort,
  repository: string,
  what: 'manifest' | 'blob',
  at: Tag | Digest,
): Promise<readonly Hop[]> {
  const hops = new Map<string, Hop>();
  const endpoint = make((role, { origin, pathname }) => {
    const url = origin + pathname;
    if (!hops.has(url)) hops.set(url, { role, url });
  });
  const path = `/v2/${repository}/${what}s/${at}`;
  const ask =
    what === 'manifest'
      ? ({ method: 'HEAD', headers: { accept: acceptManifests } } as const)
      : ({ method: 'GET', headers: { range: 'bytes=0-0' }, also: [416] } as const);
  await endpoint.run({ ...ask, kind: what, repository, path }, effort, async (answer) =>
    answer[Symbol.dispose](),
  );
  return [...hops.values()];
}
