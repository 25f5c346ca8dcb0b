import type { Digest } from '../../core/digest.ts';
import { RegistryError } from '../../core/errors.ts';
import { isIndexType, parseImageManifest } from '../../core/image-manifest.ts';
import type { Manifest } from '../../core/manifest.ts';
import type { Platform } from '../../core/platform.ts';
import type { Repository, Tag } from '../../core/reference.ts';
import { isRecord } from '../../core/shape.ts';
import type { Source } from '../../core/source.ts';
import { choose, isRunnable, leavesOf, type Chosen } from '../../image/choose.ts';

/** Whose choice it is where there are images for several platforms. */
export type Wish =
  /** The first of the list. */
  | { readonly kind: 'first' }
  /** The one for the platform, by default this machine's; a single image is taken as it is. */
  | { readonly kind: 'listed'; readonly platform?: Platform };

/**
 * The image that is meant, as tools choose that look at platforms only where there is a list of them.
 * @throws RegistryError MANIFEST_UNKNOWN, where `platformsOf` knows what there is for other platforms
 */
export async function chosenOf(
  source: Source,
  repository: Repository,
  at: Tag | Digest,
  wish: Wish,
): Promise<Chosen> {
  const named = await source.manifest(repository, at);
  if (!isIndexType(named.descriptor.mediaType)) {
    return { manifest: named, image: parseImageManifest(named.bytes) };
  }
  if (wish.kind === 'first') return await firstOf(source, repository, named);
  return await choose(source, repository, named.descriptor.digest, wish.platform);
}

/** The first image of a list that can be run. @throws RegistryError MANIFEST_UNKNOWN for an empty one */
async function firstOf(source: Source, repository: Repository, index: Manifest): Promise<Chosen> {
  const entries = await leavesOf(source, repository, index);
  const entry = entries.find(isRunnable);
  if (entry === undefined) throw new RegistryError('MANIFEST_UNKNOWN', 'the list has no images');
  const manifest = await source.manifest(repository, entry.digest);
  const { platform } = entry;
  return {
    index,
    manifest,
    image: parseImageManifest(manifest.bytes),
    ...(platform && { platform }),
  };
}

/** The platforms that there are, where an image is there and not for the one that was asked for. */
export function platformsOf(error: unknown): readonly string[] | undefined {
  if (!(error instanceof RegistryError) || !isRecord(error.detail)) return undefined;
  const { platforms } = error.detail;
  return Array.isArray(platforms) ? platforms.map(String) : undefined;
}
