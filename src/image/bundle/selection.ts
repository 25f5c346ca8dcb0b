import { RegistryError } from '../../core/errors.ts';
import type { Digest } from '../../core/digest.ts';
import type { Platform } from '../../core/platform.ts';
import type { Paths } from '../../store/paths.ts';
import type { Lock, LockedContent } from './lock.ts';
import { isManifest, lockedClosures } from './locked-closures.ts';
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

/** What is certain to belong to other platforms alone; nothing as long as something is not known. */
async function unwantedIn(
  lock: Lock,
  platforms: readonly Platform[],
  paths: Paths,
): Promise<ReadonlySet<Digest>> {
  let closures: Awaited<ReturnType<typeof lockedClosures>>;
  try {
    closures = await lockedClosures(lock, paths, { platforms, referrers: 'stored' });
  } catch (error) {
    // What is wrong with it is said when all of it is here.
    if (error instanceof RegistryError) return new Set();
    throw error;
  }
  const left = closures.flatMap(({ closure }) => closure.leftOut);
  const unknown = left.some(({ why }) => why === 'not stored');
  if (unknown || closures.some(({ closure }) => closure.missing.length > 0)) return new Set();
  const unwanted = new Set(left.map(({ digest }) => digest));
  for (const { closure } of closures)
    for (const digest of closure.content.keys()) unwanted.delete(digest);
  return unwanted;
}
