import { parseDigest, type Digest } from '../core/digest.ts';
import { RegistryError } from '../core/errors.ts';
import { parseTag, type Tag } from '../core/reference.ts';

/** What of the distribution API a path means. Names, references and digests are still unchecked. */
export type Endpoint =
  | { readonly type: 'base' }
  | { readonly type: 'catalog' }
  | { readonly type: 'manifest'; readonly name: string; readonly reference: string }
  | { readonly type: 'blob'; readonly name: string; readonly digest: string }
  | { readonly type: 'tags'; readonly name: string }
  | { readonly type: 'referrers'; readonly name: string; readonly digest: string }
  | { readonly type: 'uploads'; readonly name: string }
  | { readonly type: 'upload'; readonly name: string; readonly id: string };

export interface Target {
  /** The path as it came, for links to the next page. */
  readonly path: string;
  readonly query: URLSearchParams;
  /** The segment in front of `/v2`, if there is one. */
  readonly prefix: string | undefined;
  readonly endpoint: Endpoint;
}

const BELOW_V2 = /^\/v2(?:\/(?<rest>.*))?$/s;
const BELOW_PREFIX = /^\/(?<prefix>[^/]+)\/v2(?:\/(?<rest>.*))?$/s;
const NO_QUERY = new URLSearchParams();

/** The path and the query of a request target, in origin or in absolute form (RFC 9112 section 3.2). */
export function splitTarget(url: string): { readonly path: string; readonly query: string } {
  const absolute = url.startsWith('/') ? undefined : /^https?:\/\/[^/?#]*/i.exec(url)?.[0];
  const target = absolute === undefined ? url : url.slice(absolute.length);
  const mark = target.indexOf('?');
  const path = mark === -1 ? target : target.slice(0, mark);
  return { path: path === '' ? '/' : path, query: mark === -1 ? '' : target.slice(mark + 1) };
}

/**
 * Reads a request target as one of the distribution API; `undefined` when it lies outside of it.
 * @throws RegistryError NAME_INVALID for an encoding that could hide a path, NOT_FOUND for no endpoint
 */
export function parseTarget(url: string): Target | undefined {
  const { path, query } = splitTarget(url);
  const match = BELOW_V2.exec(path) ?? BELOW_PREFIX.exec(path);
  if (match === null) return undefined;
  const { prefix, rest } = match.groups ?? {};
  return {
    path,
    query: query === '' ? NO_QUERY : new URLSearchParams(query),
    prefix: prefix === undefined ? undefined : decode(prefix),
    endpoint: parseEndpoint(decode(rest ?? '')),
  };
}

/** What stands for a manifest: a digest always has a colon, a tag never. */
export function parseReference(text: string): Tag | Digest {
  return text.includes(':') ? parseDigest(text) : parseTag(text);
}

/** From the right, because the words of the API are fine as parts of a name. */
function parseEndpoint(rest: string): Endpoint {
  if (rest === '') return { type: 'base' };
  if (rest === '_catalog') return { type: 'catalog' };
  const [before, last] = cutLast(rest);
  const [name, kind] = cutLast(before);
  if (kind === 'tags' && last === 'list') return { type: 'tags', name };
  if (kind === 'manifests') return { type: 'manifest', name, reference: last };
  if (kind === 'referrers') return { type: 'referrers', name, digest: last };
  if (kind === 'blobs' && last === 'uploads') return { type: 'uploads', name };
  if (kind === 'blobs') return { type: 'blob', name, digest: last };
  if (kind === 'uploads') {
    const [owner, blobs] = cutLast(name);
    if (blobs === 'blobs') {
      return last === ''
        ? { type: 'uploads', name: owner }
        : { type: 'upload', name: owner, id: last };
    }
  }
  throw new RegistryError('NOT_FOUND');
}

/** What is before the last slash, and what is behind it. */
function cutLast(path: string): readonly [string, string] {
  const slash = path.lastIndexOf('/');
  return slash === -1 ? ['', path] : [path.slice(0, slash), path.slice(slash + 1)];
}

function decode(text: string): string {
  if (!text.includes('%')) return text;
  if (/%(?:2f|5c|00)/i.test(text)) {
    throw new RegistryError('NAME_INVALID', 'an encoded slash, backslash or zero in the path');
  }
  try {
    return decodeURIComponent(text);
  } catch (cause) {
    throw new RegistryError('NAME_INVALID', 'the path is not percent-encoded UTF-8', { cause });
  }
}
