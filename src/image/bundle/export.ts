import type { Descriptor } from '../../core/descriptor.ts';
import type { Digest } from '../../core/digest.ts';
import { RegistryError } from '../../core/errors.ts';
import { isHosted } from '../../core/hosted.ts';
import type { ImagePattern } from '../../core/image-pattern.ts';
import type { Manifest } from '../../core/manifest.ts';
import { formatReference, type Repository } from '../../core/reference.ts';
import type { Source, Write } from '../../core/source.ts';
import { Output } from '../archive/output.ts';
import { storeSource, storePaths } from '../store-source.ts';
import { chosenImages, refuseMissing, type Chosen } from './chosen.ts';
import type { ClosureRules } from './closure-parts.ts';
import {
  checkLockSize,
  formatLock,
  LOCK_NAME,
  lockDigest,
  type Lock,
  type LockedImage,
} from './lock.ts';
import { layoutOf } from './layout.ts';
import { writeBundle } from './write.ts';

export interface ExportOptions extends ClosureRules {
  /** The folder of the store; nothing in it is changed or locked. */
  readonly store: string;
  /** Which images: each pattern has to fit one at least. */
  readonly patterns: readonly ImagePattern[];
  /** What the place that the bundle is for has already. */
  readonly since?: Lock | undefined;
  /** `-` is standard output where `stdout` is said. */
  readonly file: string;
  /** Where the lock goes that is in the bundle as well; nowhere else when there is none. */
  readonly lock: string | undefined;
  readonly stdout?: Write | undefined;
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

/**
 * Writes a bundle: an OCI image layout in a tar, with exactly what belongs to the images. All that is
 * wanted and not stored is one error; a blob that leaves the store meanwhile is one, too.
 * @throws RegistryError MANIFEST_UNKNOWN, BLOB_UNKNOWN, DIGEST_INVALID for a damaged store,
 *   STORAGE_UNAVAILABLE; nothing has been written then
 */
export async function exportBundle(options: ExportOptions): Promise<Exported> {
  const paths = await storePaths(options.store);
  const source = storeSource(paths);
  const chosen = await chosenImages(paths, source, options);
  refuseMissing(chosen, options);
  const { lock, places } = locked(chosen, options.since);
  const lockBytes = formatLock(lock);
  checkLockSize(lockBytes.length, options.lock ?? LOCK_NAME);
  const content = lock.content
    .filter((one) => one.in === 'bundle')
    .toSorted((a, b) => kindOf(places, a.digest) - kindOf(places, b.digest));
  options.begin?.(content.reduce((sum, { size }) => sum + size, 0));
  const { file, progress, signal, stdout } = options;
  // Before the bundle takes the place of the one before.
  await using output =
    options.lock === undefined ? undefined : await Output.open(options.lock, { signal });
  await output?.write(lockBytes, 0);
  const { bytes } = await writeBundle({
    file,
    small: await layoutOf(lock, (digest) => manifestIn(source, places, digest)),
    content,
    open: (digest) => source.blob(placeOf(places, digest).repository, digest),
    progress,
    stdout,
    signal,
  });
  await output?.commit();
  return { lock, bytes };
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
