import type { Descriptor } from '../../core/descriptor.ts';
import { algorithmOf, hexOf, type Digest } from '../../core/digest.ts';
import { isUnknown, RegistryError } from '../../core/errors.ts';
import { isHosted } from '../../core/hosted.ts';
import type { ImagePattern } from '../../core/image-pattern.ts';
import type { Manifest } from '../../core/manifest.ts';
import {
  formatReference,
  type Reference,
  type Repository,
  type Tag,
} from '../../core/reference.ts';
import type { Source } from '../../core/source.ts';
import { repositories } from '../../store/catalog.ts';
import type { Paths } from '../../store/paths.ts';
import { Output } from '../archive/output.ts';
import { readSmallBlob } from '../small-blob.ts';
import { storeSource, storePaths } from '../store-source.ts';
import { closureOf } from './closure.ts';
import type { Closure, ClosureRules, Missing } from './closure-parts.ts';
import { formatLock, lockDigest, type Lock, type LockedImage } from './lock.ts';
import { layoutOf } from './layout.ts';
import { writeBundle } from './write.ts';

export interface ExportOptions extends ClosureRules {
  /** The folder of the store; nothing in it is changed or locked. */
  readonly store: string;
  /** Which images: each pattern has to fit one at least. */
  readonly patterns: readonly ImagePattern[];
  /** What the place that the bundle is for has already. */
  readonly since?: Lock | undefined;
  readonly file: string;
  /** Where the lock goes that is in the bundle as well. */
  readonly lock: string;
  /** Bytes of content to be written, once that is known; then those of each chunk. */
  readonly begin?: ((bytes: number) => void) | undefined;
  readonly progress?: ((bytes: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface Exported {
  readonly lock: Lock;
  /** Of the bundle. */
  readonly bytes: number;
}

interface Chosen {
  readonly reference: Reference;
  readonly root: Descriptor;
  readonly closure: Closure;
}

/**
 * Writes a bundle: an OCI image layout in a tar, with exactly what belongs to the images. All that is
 * wanted and not stored is one error; a blob that leaves the store meanwhile is one, too.
 * @throws RegistryError MANIFEST_UNKNOWN, BLOB_UNKNOWN, DIGEST_INVALID for a damaged store,
 *   STORAGE_UNAVAILABLE; nothing has been written then
 */
export async function exportBundle(options: ExportOptions): Promise<Exported> {
  const paths = await storePaths(options.store);
  const source = storeSource(paths);
  const chosen = await choose(paths, source, options);
  refuseMissing(chosen);
  const { lock, places } = locked(chosen, options.since);
  const content = lock.content
    .filter((one) => one.in === 'bundle')
    .toSorted((a, b) => kindOf(places, a.digest) - kindOf(places, b.digest));
  options.begin?.(content.reduce((sum, { size }) => sum + size, 0));
  const { file, progress, signal } = options;
  const { bytes } = await writeBundle({
    file,
    small: await layoutOf(lock, (digest) => manifestIn(source, places, digest)),
    content,
    open: (digest) => source.blob(placeOf(places, digest).repository, digest),
    progress,
    signal,
  });
  await using output = await Output.open(options.lock);
  await output.write(formatLock(lock), 0);
  await output.commit();
  return { lock, bytes };
}

async function choose(
  paths: Paths,
  source: Source,
  options: ExportOptions,
): Promise<readonly Chosen[]> {
  const names = await matching(paths, source, options.patterns);
  const chosen = new Map<string, Chosen>();
  const add = async (reference: Reference): Promise<void> => {
    options.signal?.throwIfAborted();
    const { repository, at } = reference;
    const name = formatReference(repository, at);
    if (chosen.has(name)) return;
    const { descriptor: root } = await source.manifest(repository, at);
    const closure = await closureOf(name, root, closureSource(source, repository), options);
    chosen.set(name, { reference, root, closure });
    if (options.referrers === 'none') return;
    for (const tag of await tagsAbout(source, repository, closure))
      await add({ repository, at: tag });
  };
  for (const reference of names) await add(reference);
  return [...chosen.values()].toSorted((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1));
}

/** Every image that one of the patterns fits. @throws RegistryError MANIFEST_UNKNOWN listing those that fit none */
async function matching(
  paths: Paths,
  source: Source,
  patterns: readonly ImagePattern[],
): Promise<readonly Reference[]> {
  const unmatched = new Set(patterns);
  const found: Reference[] = [];
  for (const repository of await repositories(paths)) {
    const inside = patterns.filter((pattern) => pattern.inRepository(repository));
    if (inside.length === 0) continue;
    for (const { digest, text } of inside) {
      if (digest === undefined || !(await isThere(source, repository, digest))) continue;
      found.push({ repository, at: digest });
      for (const one of inside) if (one.text === text) unmatched.delete(one);
    }
    for (const tag of await tagsOf(source, repository)) {
      const fitting = inside.filter((pattern) => pattern.byTag(repository, tag));
      if (fitting.length === 0) continue;
      for (const pattern of fitting) unmatched.delete(pattern);
      found.push({ repository, at: tag });
    }
  }
  if (unmatched.size === 0) return found;
  const texts = [...unmatched].map(({ text }) => text).join(' ');
  throw new RegistryError(
    'MANIFEST_UNKNOWN',
    `the store holds nothing that fits ${texts}: have it fetched first (layover prefetch ${texts}), or pull it through the mirror`,
  );
}

/** What signing tools keep beside an image: tags named after the digest of what they are about. */
async function tagsAbout(
  source: Source,
  repository: Repository,
  { content }: Closure,
): Promise<readonly Tag[]> {
  const names = new Set(
    [...content.values()]
      .filter(({ kind }) => kind === 'manifest')
      .map(({ descriptor: { digest } }) => `${algorithmOf(digest)}-${hexOf(digest)}`),
  );
  const tags = await tagsOf(source, repository);
  return tags.filter((tag) => names.has(tag.replace(/\.(?:sig|att|sbom)$/, '')));
}

async function tagsOf(source: Source, repository: Repository): Promise<readonly Tag[]> {
  return (await orNone(source.tags(repository)))?.items ?? [];
}

async function isThere(source: Source, repository: Repository, digest: Digest): Promise<boolean> {
  return (await orNone(source.resolve(repository, digest))) !== undefined;
}

/** What is not there is `undefined`. */
async function orNone<T>(promise: Promise<T>): Promise<T | undefined> {
  try {
    return await promise;
  } catch (error) {
    if (isUnknown(error)) return undefined;
    throw error;
  }
}

function closureSource(source: Source, repository: Repository) {
  return {
    manifest: (digest: Digest) => orNone(source.manifest(repository, digest)),
    size: async (digest: Digest) => (await orNone(source.stat(repository, digest)))?.size,
    config: (descriptor: Descriptor) => orNone(readSmallBlob(source, repository, descriptor)),
    referrers: async (digest: Digest) =>
      (await orNone(source.referrers(repository, digest)))?.items ?? [],
  };
}

/** @throws RegistryError BLOB_UNKNOWN, with everything that is wanted and not there */
function refuseMissing(chosen: readonly Chosen[]): void {
  const lacking = chosen.filter(({ closure }) => closure.missing.length > 0);
  if (lacking.length === 0) return;
  const names = lacking.map(nameOf);
  const lines = lacking.flatMap((one) =>
    one.closure.missing.map((missing) => `  ${nameOf(one)}: ${describe(missing)}`),
  );
  throw new RegistryError(
    'BLOB_UNKNOWN',
    `the store lacks some of what is to be exported: have it fetched first (layover prefetch ${names.join(' ')}), or choose platforms that are there (--platform)\n${lines.join('\n')}`,
    { detail: { missing: lacking.flatMap(({ closure }) => closure.missing) } },
  );
}

export function describe({ digest, mediaType, size, neededBy }: Missing): string {
  return `${digest} (${mediaType}, ${size} bytes), needed by ${neededBy}`;
}

interface Place {
  readonly repository: Repository;
  readonly kind: 'manifest' | 'blob';
}

function locked(
  chosen: readonly Chosen[],
  since: Lock | undefined,
): { readonly lock: Lock; readonly places: ReadonlyMap<Digest, Place> } {
  const places = new Map<Digest, Place>();
  const descriptors = new Map<Digest, Descriptor>();
  for (const { reference, closure } of chosen) {
    for (const [digest, { descriptor, kind }] of closure.content) {
      const known = places.get(digest);
      // The same bytes may be a manifest here and a blob there.
      if (known !== undefined && (known.kind === 'manifest' || kind === 'blob')) continue;
      places.set(digest, { repository: reference.repository, kind });
      descriptors.set(digest, descriptor);
    }
  }
  const before = new Set(since?.content.map(({ digest }) => digest));
  const content = [...descriptors.values()]
    .toSorted((a, b) => (a.digest < b.digest ? -1 : 1))
    .map(({ digest, mediaType, size }) => {
      return { digest, mediaType, size, in: before.has(digest) ? 'base' : 'bundle' } as const;
    });
  const lock: Lock = {
    images: chosen.map(lockedImage),
    content,
    ...(since !== undefined && { since: lockDigest(since) }),
  };
  return { lock, places };
}

function lockedImage({ reference, root, closure }: Chosen): LockedImage {
  const { digest, mediaType, size } = root;
  const { repository, at } = reference;
  return {
    name: formatReference(repository, at),
    hosted: isHosted(repository),
    root: { digest, mediaType, size },
    platforms: closure.platforms,
    referrers: closure.referrers.map((one) => one.digest).toSorted(),
    leftOut: closure.leftOut.toSorted((a, b) => (a.digest < b.digest ? -1 : 1)),
  };
}

function manifestIn(
  source: Source,
  places: ReadonlyMap<Digest, Place>,
  digest: Digest,
): Promise<Manifest> {
  return source.manifest(placeOf(places, digest).repository, digest);
}

function placeOf(places: ReadonlyMap<Digest, Place>, digest: Digest): Place {
  const place = places.get(digest);
  if (place !== undefined) return place;
  throw new RegistryError('BLOB_UNKNOWN', `${digest} is not part of what is exported`);
}

function kindOf(places: ReadonlyMap<Digest, Place>, digest: Digest): number {
  return placeOf(places, digest).kind === 'manifest' ? 0 : 1;
}

function nameOf({ reference: { repository, at } }: Chosen): string {
  return formatReference(repository, at);
}
