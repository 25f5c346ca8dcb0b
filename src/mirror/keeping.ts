import { LRUCache } from 'lru-cache';
import type { Descriptor } from '../core/descriptor.ts';
import type { Digest } from '../core/digest.ts';
import { RegistryError } from '../core/errors.ts';
import type { Manifest, Resolution } from '../core/manifest.ts';
import { formatReference, type Repository, type Tag } from '../core/reference.ts';
import type { Blob, Source } from '../core/source.ts';
import type { Download } from '../store/download.ts';
import type { ContentStore } from '../store/store.ts';
import type { TagStore } from '../store/tags.ts';
import type { Background } from './background.ts';
import type { Blobs } from './blobs.ts';
import type { Downloads } from './downloads.ts';
import type { Freshness } from './freshness.ts';
import type { Manifests } from './manifests.ts';

export interface KeepingOptions {
  readonly store: ContentStore;
  readonly tags: TagStore;
  readonly manifests: Manifests;
  readonly blobs: Blobs;
  readonly downloads: Downloads;
  readonly background: Background;
  readonly freshness: Pick<Freshness, 'latest' | 'resolve' | 'told'>;
  readonly upstream: (host: string) => Source;
  readonly now: () => number;
  readonly byTag: (repository: Repository, tag: Tag) => Promise<Manifest>;
}

export interface KeepOptions {
  readonly signal: AbortSignal;
  /** Told now and then how much of the blob is here. */
  readonly onBytes?: ((bytes: number) => void) | undefined;
}

/** Whether it was here, and how many bytes had to come for it. */
export interface Kept {
  readonly how: 'held' | 'fetched';
  readonly bytes: number;
}

interface Found {
  readonly descriptor: Descriptor;
  /** When the upstream said so. Milliseconds since 1970. */
  readonly checkedAt: number;
}

const REMEMBERED = 10_000;

/** Milliseconds between two looks at how far a download is. */
const LOOKED = 250;

/**
 * Content that is to be stored without a client that reads it. In contrast to what clients get, what
 * finds no room is a failure here. It is downloaded as for clients: once, however many want it.
 */
export class Keeping {
  readonly #options: KeepingOptions;
  /** What tags were found to mean, until what they mean is here. */
  readonly #found = new LRUCache<string, Found>({ max: REMEMBERED });

  constructor(options: KeepingOptions) {
    this.#options = options;
  }

  /** What is here and may be served to the repository, without asking anybody. */
  held(repository: Repository, digest: Digest): Promise<Manifest | undefined> {
    return this.#options.manifests.held(repository, digest);
  }

  /**
   * What the tag means, believed for as long as for clients. Until `tag` it goes on to mean what it meant.
   * @throws RegistryError as the mirror itself does
   */
  async resolve(repository: Repository, tag: Tag): Promise<Resolution> {
    const { freshness, upstream, now } = this.#options;
    const latest = await freshness.latest(repository, tag);
    if (latest !== undefined) {
      // What an earlier attempt found is not the latest any more.
      this.#found.delete(formatReference(repository, tag));
      return latest;
    }
    try {
      const { descriptor } = await upstream(repository.host).resolve(repository, tag);
      this.#found.set(formatReference(repository, tag), { descriptor, checkedAt: now() });
      return { descriptor, served: { result: 'miss' } };
    } catch {
      return freshness.resolve(repository, tag);
    }
  }

  /** @throws RegistryError MANIFEST_UNKNOWN, STORAGE_UNAVAILABLE, or what kept the upstream from answering */
  async manifest(repository: Repository, digest: Digest): Promise<Manifest> {
    return this.#keep(repository, await this.#options.manifests.get(repository, digest));
  }

  /**
   * What the tag means now, by the same rules as for clients; from now on that is on record.
   * @throws RegistryError as `manifest` does
   */
  async tag(repository: Repository, tag: Tag): Promise<Manifest> {
    const { byTag, background, freshness, manifests, tags } = this.#options;
    const key = formatReference(repository, tag);
    const found = this.#found.get(key);
    this.#found.delete(key);
    // Some registries do not find by digest what they have named: `byTag` has their way.
    if (found !== undefined && (await manifests.held(repository, found.descriptor.digest))) {
      await freshness.told(repository, tag, found.descriptor, found.checkedAt);
    }
    const manifest = await this.#keep(repository, await byTag(repository, tag));
    await background.passed();
    if ((await tags.get(repository, tag)) !== undefined) return manifest;
    const name = formatReference(repository, tag);
    throw new RegistryError('STORAGE_UNAVAILABLE', `what ${name} means could not be written down`);
  }

  /**
   * Returns once the blob is stored. A download that is under way when the signal comes goes on for a
   * while, as when a client leaves.
   * @throws RegistryError BLOB_UNKNOWN, STORAGE_UNAVAILABLE, INTERRUPTED, or what kept it from coming
   */
  async blob(
    repository: Repository,
    { digest, size }: Descriptor,
    { signal, onBytes }: KeepOptions,
  ): Promise<Kept> {
    const { blobs, downloads, store } = this.#options;
    // The last byte comes when all have been checked; the others need not be read for that.
    const last = size > 1 ? { from: size - 1 } : undefined;
    await using blob = await blobs.blob(repository, digest, last);
    const download = downloads.get(digest);
    if (blob.served?.result === 'hit' || blob.served?.result === 'revalidated') {
      return { how: 'held', bytes: 0 };
    }
    const local = download === undefined ? 0 : Math.min(download.local, blob.size);
    await ended(blob, download, { signal, onBytes });
    if (download !== undefined) await downloads.gone(download);
    if ((await store.size(digest)) !== undefined) {
      return { how: 'fetched', bytes: blob.size - local };
    }
    throw noRoom(digest);
  }

  async #keep(repository: Repository, manifest: Manifest): Promise<Manifest> {
    if (await this.#options.manifests.keep(repository, manifest)) return manifest;
    throw noRoom(manifest.descriptor.digest);
  }
}

/** The blob has come to its end, or there is no point in waiting for that. */
async function ended(
  blob: Blob,
  download: Download | undefined,
  { signal, onBytes }: KeepOptions,
): Promise<void> {
  const vain = Promise.withResolvers<never>();
  vain.promise.catch(() => {});
  const leave = (): void =>
    vain.reject(new RegistryError('INTERRUPTED', 'interrupted', { cause: signal.reason }));
  const look = (): void => {
    onBytes?.(download?.length ?? 0);
    // Going on would only bring bytes that nobody reads.
    if (download?.storing === false) vain.reject(noRoom(download.digest));
  };
  const timer = setInterval(look, LOOKED);
  signal.addEventListener('abort', leave, { once: true });
  try {
    if (signal.aborted) leave();
    look();
    const read = drained(blob);
    read.catch(() => {});
    await Promise.race([vain.promise, read]);
  } finally {
    clearInterval(timer);
    signal.removeEventListener('abort', leave);
  }
}

async function drained({ body }: Blob): Promise<void> {
  for await (const _chunk of body);
}

function noRoom(digest: Digest): RegistryError {
  return new RegistryError(
    'STORAGE_UNAVAILABLE',
    `there is no room for ${digest}: storage.maxSize, storage.minFree or the disk itself leave none`,
  );
}
