import type { Descriptor } from '../../core/descriptor.ts';
import { algorithmOf, digestOf, type Digest } from '../../core/digest.ts';
import { LARGEST_MANIFEST, manifestOf, type Manifest } from '../../core/manifest.ts';
import { MANIFEST_TYPES } from '../../core/media-type.ts';
import type { Paths } from '../../store/paths.ts';
import { bytesOf } from '../archive/content.ts';
import { openFile } from '../archive/folder-files.ts';
import { closureOf } from './closure.ts';
import { subjectOf, type Closure, type ClosureRules, type ClosureSource } from './closure-parts.ts';
import type { Lock, LockedContent, LockedImage } from './lock.ts';

export interface LockedClosure {
  readonly image: LockedImage;
  readonly closure: Closure;
  /** Manifests that refer to something of some image, and that are not here, so nobody knows to what. */
  readonly unread: readonly Digest[];
}

/**
 * What the images of a lock come to, as if everything that it lists were here already, but for manifests
 * that are not. @throws what `closureOf` throws
 */
export async function lockedClosures(
  lock: Lock,
  paths: Paths,
  rules: ClosureRules,
): Promise<readonly LockedClosure[]> {
  const source = await sourceOf(lock, paths);
  const closures: LockedClosure[] = [];
  for (const image of lock.images) {
    const closure = await closureOf(image.name, image.root, source, rules);
    const unread: Digest[] = [];
    for (const digest of image.referrers)
      if ((await source.manifest(digest)) === undefined) unread.push(digest);
    closures.push({ image, closure, unread });
  }
  return closures;
}

export function isManifest({ mediaType }: Pick<LockedContent, 'mediaType'>): boolean {
  return MANIFEST_TYPES.includes(mediaType);
}

async function sourceOf({ content }: Lock, paths: Paths): Promise<ClosureSource> {
  const locked = new Map(content.map((one) => [one.digest, one]));
  const manifest = async (digest: Digest): Promise<Manifest | undefined> =>
    locked.has(digest) ? storedManifest(paths, digest) : undefined;
  const referrers = new Map<Digest, Descriptor[]>();
  for (const { digest } of content.filter(isManifest)) {
    const found = await manifest(digest);
    const subject = found && subjectOf(found);
    if (found === undefined || subject === undefined) continue;
    referrers.set(subject, [...(referrers.get(subject) ?? []), found.descriptor]);
  }
  return {
    manifest,
    size: async (digest) => locked.get(digest)?.size,
    // Of an image for one platform, which is wanted or is an error.
    config: async () => undefined,
    referrers: async (digest) => referrers.get(digest) ?? [],
  };
}

/** `undefined` for one that is not there, or not right. @throws RegistryError MANIFEST_INVALID */
async function storedManifest(paths: Paths, digest: Digest): Promise<Manifest | undefined> {
  const content = await openFile(paths.blob(digest));
  if (content === undefined) return undefined;
  const bytes = await bytesOf(content, LARGEST_MANIFEST, digest);
  const algorithm = algorithmOf(digest);
  if (digestOf(bytes, algorithm) !== digest) return undefined;
  return manifestOf(bytes, undefined, algorithm);
}
