import { isDigest, type Digest } from '../../core/digest.ts';
import { RegistryError } from '../../core/errors.ts';
import { isHost, parsePath, parseTag, type Reference, type Tag } from '../../core/reference.ts';
import { normalHost } from '../../upstream/docker-host.ts';

/** A reference as it was written, before anybody fills in what Hub leaves out. */
export interface HostedReference extends Reference {
  /** The registry, as it was written. */
  readonly written: string;
}

/**
 * Reads a reference that always begins with its registry, whatever that looks like: `REGISTRY/PATH`
 * with `:TAG` or `@DIGEST`, or both, of which the digest decides. Nothing is added but `latest`.
 * @throws RegistryError NAME_INVALID, TAG_INVALID
 */
export function parseHosted(text: string): HostedReference {
  const slash = text.indexOf('/');
  const written = text.slice(0, Math.max(0, slash));
  if (!isHost(written)) throw invalid('an image has to begin with its registry and a slash');
  const { path, at } = parseInRegistry(text.slice(slash + 1));
  return { written, repository: { host: normalHost(written), path }, at };
}

/** Reads what follows the registry. @throws RegistryError NAME_INVALID, TAG_INVALID */
export function parseInRegistry(text: string): {
  readonly path: string;
  readonly at: Tag | Digest;
} {
  const sign = text.indexOf('@');
  const digest = sign === -1 ? undefined : text.slice(sign + 1);
  if (digest !== undefined && !isDigest(digest)) throw invalid('what follows @ is no digest');
  const tagged = sign === -1 ? text : text.slice(0, sign);
  const colon = tagged.lastIndexOf(':');
  const hasTag = colon > tagged.lastIndexOf('/');
  const tag = parseTag(hasTag ? tagged.slice(colon + 1) : 'latest');
  return { path: parsePath(hasTag ? tagged.slice(0, colon) : tagged), at: digest ?? tag };
}

function invalid(what: string): RegistryError {
  return new RegistryError('NAME_INVALID', what);
}
