import type { Digest } from '../../core/digest.ts';
import { isHosted } from '../../core/hosted.ts';
import { entriesOf } from '../../core/image-index.ts';
import { isIndexType } from '../../core/image-manifest.ts';
import { parseManifest, mediaTypeOf } from '../../core/manifest.ts';
import { formatPlatform, platformOf } from '../../core/platform.ts';
import type { Repository, Tag } from '../../core/reference.ts';
import { partsOf } from '../budget/references.ts';
import { linkedDigests } from '../budget/scan.ts';
import { readManifest } from '../budget/stored-manifest.ts';
import { repositories } from '../catalog.ts';
import type { StoreView } from './view.ts';

/** Something that is cached and was pulled by a name or digest of its own. Times are milliseconds since 1970. */
export interface CachedImage {
  readonly repository: Repository;
  /** Left out: it was pulled by digest. */
  readonly tag?: Tag;
  readonly digest: Digest;
  /** Those that are here, of an image for several. */
  readonly platforms: readonly string[];
  /** Bytes of what is here of it. */
  readonly size: number;
  /** As its configuration states it. */
  readonly created?: string;
  readonly firstPulled?: number;
  readonly lastPulled?: number;
  /** Why it is never evicted. */
  readonly kept?: string;
  /** Everything that is here of it, itself included. */
  readonly parts: ReadonlyMap<Digest, number>;
}

/** Every cached image: one for each tag, and those that no tag leads to. What lives here is not cached. */
export async function* cachedImages(view: StoreView): AsyncGenerator<CachedImage> {
  for (const repository of await repositories(view.paths)) {
    if (isHosted(repository)) continue;
    const reached = new Set<Digest>();
    for (const tag of await view.tags.list(repository)) {
      const record = await view.tags.get(repository, tag);
      if (record === undefined) continue;
      const image = await describe(view, repository, record.descriptor.digest);
      for (const digest of image.parts.keys()) reached.add(digest);
      const { lastPulled } = image;
      const firstPulled = view.past.onWall(record.firstSeen);
      // What the tag means may have been here before, under another name, and not been read since.
      const last = lastPulled !== undefined && Math.max(lastPulled, firstPulled);
      yield {
        ...image,
        tag,
        firstPulled,
        ...(last !== false && { lastPulled: last }),
      };
    }
    yield* untagged(view, repository, reached);
  }
}

async function* untagged(
  view: StoreView,
  repository: Repository,
  reached: Set<Digest>,
): AsyncGenerator<CachedImage> {
  const left: Digest[] = [];
  for await (const digest of linkedDigests(view.paths, repository)) {
    if (reached.has(digest) || view.index.links.kindOf(repository, digest) !== 'manifest') continue;
    if (view.index.get(digest) !== undefined) left.push(digest);
  }
  const images: CachedImage[] = [];
  const inside = new Set<Digest>();
  for (const digest of left) {
    const image = await describe(view, repository, digest);
    for (const part of image.parts.keys()) if (part !== digest) inside.add(part);
    images.push(image);
  }
  for (const image of images) if (!inside.has(image.digest)) yield image;
}

async function describe(
  view: StoreView,
  repository: Repository,
  digest: Digest,
): Promise<CachedImage> {
  const { index, clock, past, keeper } = view;
  const parts = new Map<Digest, number>();
  const about: About = { platforms: new Set(), created: undefined };
  await collect(view, digest, parts, about);
  const stored = index.get(digest);
  const kept = keeper.why(digest)?.reason;
  return {
    repository,
    digest,
    platforms: [...about.platforms],
    size: parts.values().reduce((sum, size) => sum + size, 0),
    ...(about.created !== undefined && { created: about.created }),
    ...(stored && {
      firstPulled: past.onWall(stored.stored),
      lastPulled: clock.onWall(stored.accessed),
    }),
    ...(kept !== undefined && { kept }),
    parts,
  };
}

interface About {
  readonly platforms: Set<string>;
  created: string | undefined;
}

/** Follows a manifest to everything that is here of it. */
async function collect(
  view: StoreView,
  digest: Digest,
  parts: Map<Digest, number>,
  about: About,
): Promise<void> {
  const { index, content } = view;
  const stored = index.get(digest);
  if (parts.has(digest) || stored === undefined) return;
  const root = parts.size === 0;
  parts.set(digest, stored.size);
  const bytes = await readManifest(content, digest);
  if (bytes === undefined) return;
  if (isIndexType(typeOf(bytes) ?? '')) await namePlatforms(view, bytes, about);
  for (const part of partsOf(bytes)) {
    if (part.kind === 'manifest') await collect(view, part.digest, parts, about);
    else await addBlob(view, part.digest, parts);
  }
  const config = await configOf(view, bytes);
  const { created } = config;
  if (typeof created === 'string' && created > (about.created ?? '')) about.created = created;
  // An index says itself what its images are for.
  const platform = root && isWhole(view, bytes) ? platformOf(config) : undefined;
  if (platform !== undefined) about.platforms.add(formatPlatform(platform));
}

async function addBlob(view: StoreView, digest: Digest, parts: Map<Digest, number>): Promise<void> {
  const stored = view.index.get(digest);
  if (stored !== undefined) parts.set(digest, stored.size);
}

function typeOf(bytes: Uint8Array): string | undefined {
  try {
    return mediaTypeOf(bytes);
  } catch {
    return undefined;
  }
}

/** Manifests come before their layers, and with some clients without them: that is no image that is here. */
function isWhole({ index }: StoreView, manifest: Uint8Array): boolean {
  const parts = partsOf(manifest);
  return parts.length > 0 && parts.every(({ digest }) => index.get(digest) !== undefined);
}

async function namePlatforms(view: StoreView, bytes: Uint8Array, about: About): Promise<void> {
  for (const { digest, platform } of entriesOf(bytes)) {
    if (platform?.os === 'unknown') continue;
    const manifest = view.index.get(digest) && (await readManifest(view.content, digest));
    if (manifest === undefined || !isWhole(view, manifest)) continue;
    const stated = platform ?? platformOf(await configOf(view, manifest));
    if (stated !== undefined) about.platforms.add(formatPlatform(stated));
  }
}

/** What the configuration says, if the manifest has one and it is here. */
async function configOf(
  { content }: StoreView,
  manifest: Uint8Array,
): Promise<Readonly<Record<string, unknown>>> {
  try {
    const [config] = partsOf(
      Buffer.from(JSON.stringify({ config: parseManifest(manifest)['config'] })),
    );
    const bytes = config && (await readManifest(content, config.digest));
    return bytes === undefined ? {} : parseManifest(bytes);
  } catch {
    // A configuration of another kind, as artifacts have them.
    return {};
  }
}
