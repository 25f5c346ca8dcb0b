import type { Digest } from '../core/digest.ts';
import { isUnknown, RegistryError } from '../core/errors.ts';
import type { Manifest } from '../core/manifest.ts';
import type { Kind } from '../core/kind.ts';
import type { Repository, Tag } from '../core/reference.ts';
import { UpstreamError } from './failure.ts';
import { removeReferrer } from './fallback-tag.ts';
import { fetchManifest, resolveManifest } from './manifests.ts';
import { subjectOf } from './push-manifest.ts';
import { deleteScope } from './scope.ts';
import type { Target } from './upload.ts';

/**
 * What removing a tag took: the tag alone, or the manifest and with it every tag that it had,
 * because the registry knows no other way.
 */
export type Removed =
  | { readonly what: 'tag' }
  | { readonly what: 'manifest'; readonly digest: Digest };

/**
 * Takes things away (distribution specification, "Content Management").
 * @throws RegistryError UNSUPPORTED where deletion is off, MANIFEST_UNKNOWN, BLOB_UNKNOWN, DENIED
 */
export interface Eraser {
  /** @param otherwise what is done where a registry takes no tags: the manifest goes if left out */
  removeTag(repository: Repository, tag: Tag, otherwise?: 'manifest' | 'nothing'): Promise<Removed>;
  /** With every tag that it has; of what refers to something, the entry in that one's list as well. */
  removeManifest(repository: Repository, digest: Digest): Promise<void>;
  removeBlob(repository: Repository, digest: Digest): Promise<void>;
}

/** How registries say that they take no tags here: some want digests, some delete nothing at all. */
const WITHOUT_TAGS: ReadonlySet<string> = new Set(['400', '404', '405', '501']);

/** As `Eraser.removeTag`. @throws RegistryError MANIFEST_UNKNOWN, UNSUPPORTED */
export async function removeTag(
  target: Target,
  tag: Tag,
  otherwise: 'manifest' | 'nothing' = 'manifest',
): Promise<Removed> {
  const { endpoint, repository, brief } = target;
  // Asked first, because "no such tag" and "no tags here, please" look alike afterwards.
  const { descriptor } = await resolveManifest(endpoint, brief(), repository, tag);
  try {
    await remove(target, 'manifest', `manifests/${tag}`);
    return { what: 'tag' };
  } catch (cause) {
    if (!(cause instanceof UpstreamError) || !WITHOUT_TAGS.has(cause.reason)) throw cause;
    if (otherwise === 'nothing') {
      const message = `${endpoint.host} deletes no tags, only manifests with every tag they have`;
      throw new RegistryError('UNSUPPORTED', message, { cause });
    }
  }
  await removeManifest(target, descriptor.digest);
  return { what: 'manifest', digest: descriptor.digest };
}

/** As `Eraser.removeManifest`. @throws RegistryError MANIFEST_UNKNOWN, UNSUPPORTED */
export async function removeManifest(target: Target, digest: Digest): Promise<void> {
  const manifest = await tryFetch(target, digest);
  await unlessOff(target, () => remove(target, 'manifest', `manifests/${digest}`));
  const subject = manifest && subjectOf(manifest);
  if (subject !== undefined) await removeReferrer(target, subject, digest);
}

export async function removeBlob(target: Target, digest: Digest): Promise<void> {
  await unlessOff(target, () => remove(target, 'blob', `blobs/${digest}`));
}

async function remove(target: Target, kind: Kind, what: string): Promise<void> {
  const { endpoint, repository, brief } = target;
  const path = `/v2/${repository}/${what}`;
  const scope = deleteScope(repository);
  const ask = { method: 'DELETE', kind, repository, path, scope } as const;
  const { deadline, retries } = brief();
  for (let failures = 0; ; failures += 1) {
    try {
      const once = { deadline, retries: 0 };
      return await endpoint.run(ask, once, async (answer) => answer[Symbol.dispose]());
    } catch (error) {
      if (!(error instanceof UpstreamError)) throw error;
      // An answer that was lost may have said that it is done.
      if (failures > 0 && error.reason === '404') return;
      if (error.retry === 'useless' || failures >= retries) throw error;
      await endpoint.rest(failures, error.reason);
    }
  }
}

/** What is not a manifest that can be read can be deleted all the same. */
async function tryFetch(target: Target, digest: Digest): Promise<Manifest | undefined> {
  const { endpoint, repository, brief } = target;
  try {
    return await fetchManifest(endpoint, brief(), repository, digest);
  } catch (error) {
    if (isUnknown(error) || !(error instanceof RegistryError)) throw error;
    return undefined;
  }
}

async function unlessOff(target: Target, task: () => Promise<void>): Promise<void> {
  try {
    await task();
  } catch (cause) {
    // With a code of its own a 405 is about this one alone: something else needs it.
    const off = cause instanceof UpstreamError && cause.code === 'UNSUPPORTED';
    if (!off) throw cause;
    throw new RegistryError(
      'UNSUPPORTED',
      `${target.endpoint.host}: deletion is turned off there (docker-registry: storage.delete.enabled)`,
      { cause },
    );
  }
}
