import type { Descriptor } from '../../core/descriptor.ts';
import { algorithmOf, digestOf, type Digest } from '../../core/digest.ts';
import { RegistryError } from '../../core/errors.ts';
import { LARGEST_MANIFEST, manifestOf, type Manifest } from '../../core/manifest.ts';
import { MANIFEST_TYPES } from '../../core/media-type.ts';
import type { Platform } from '../../core/platform.ts';
import type { Paths } from '../../store/paths.ts';
import { bytesOf } from '../archive/content.ts';
import { openFile } from '../archive/folder-files.ts';
import { closureOf } from './closure.ts';
import { subjectOf, type Closure, type ClosureSource } from './closure-parts.ts';
import type { Lock, LockedContent } from './lock.ts';
import type { Reservation } from './reservation.ts';

export interface SelectionOptions {
  readonly reservation: Pick<Reservation, 'make'>;
  /** Of an index only the images for these; all when left out. */
  readonly platforms?: readonly Platform[] | undefined;
  readonly paths: Paths;
  /** Settles when what has come so far is at its place in the store. */
  readonly settled: () => Promise<void>;
}

/**
 * What of an archive with a lock is to be stored. Where platforms were chosen, room for manifests is
 * claimed first; once they are here, as they come first in a bundle, for what they say is wanted. The
 * rest is read and held against its digest all the same.
 */
export class Selection {
  readonly #options: SelectionOptions;
  #lock: Lock | undefined;
  #unwanted: ReadonlySet<Digest> = new Set();
  #made = false;

  constructor(options: SelectionOptions) {
    this.#options = options;
  }

  /**
   * What the archive has to hold is known from here on.
   * @throws RegistryError STORAGE_UNAVAILABLE where it does not fit
   */
  async begin(lock: Lock): Promise<void> {
    const { reservation, platforms } = this.#options;
    this.#lock = lock;
    await reservation.make(lock, platforms === undefined ? () => true : isManifest);
  }

  /**
   * Whether the content, which is what the archive has next, is wanted.
   * @throws RegistryError STORAGE_UNAVAILABLE where all that is wanted does not fit
   */
  async wants({
    digest,
    mediaType,
  }: Pick<LockedContent, 'digest' | 'mediaType'>): Promise<boolean> {
    const { reservation, platforms, paths, settled } = this.#options;
    const lock = this.#lock;
    if (lock === undefined || platforms === undefined || isManifest({ mediaType })) return true;
    if (!this.#made) {
      this.#made = true;
      await settled();
      this.#unwanted = await unwantedIn(lock, platforms, paths);
      await reservation.make(lock, (one) => !isManifest(one) && !this.#unwanted.has(one.digest));
    }
    return !this.#unwanted.has(digest);
  }
}

function isManifest({ mediaType }: Pick<LockedContent, 'mediaType'>): boolean {
  return MANIFEST_TYPES.includes(mediaType);
}

/** What is certain to belong to other platforms alone; nothing as long as something is not known. */
async function unwantedIn(
  lock: Lock,
  platforms: readonly Platform[],
  paths: Paths,
): Promise<ReadonlySet<Digest>> {
  const closures: Closure[] = [];
  try {
    const source = await sourceOf(lock, paths);
    for (const { name, root } of lock.images) {
      closures.push(await closureOf(name, root, source, { platforms, referrers: 'stored' }));
    }
  } catch (error) {
    // What is wrong with it is said when all of it is here.
    if (error instanceof RegistryError) return new Set();
    throw error;
  }
  const left = closures.flatMap(({ leftOut }) => leftOut);
  const unknown = left.some(({ why }) => why === 'not stored');
  if (unknown || closures.some(({ missing }) => missing.length > 0)) return new Set();
  const unwanted = new Set(left.map(({ digest }) => digest));
  for (const { content } of closures) for (const digest of content.keys()) unwanted.delete(digest);
  return unwanted;
}

/** As if everything that the lock lists were here already, but for manifests that are not. */
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
