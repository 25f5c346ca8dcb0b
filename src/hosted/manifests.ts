import { LRUCache } from 'lru-cache';
import { algorithmOf, digestOf, type Digest } from '../core/digest.ts';
import { LARGEST_MANIFEST, type Manifest } from '../core/manifest.ts';
import type { Repository } from '../core/reference.ts';
import { wholeOf } from '../core/whole.ts';
import type { Link } from '../store/links.ts';
import type { Records } from '../store/records.ts';
import type { ContentStore } from '../store/store.ts';

export interface ManifestsOptions {
  readonly records: Records;
  readonly content: ContentStore;
}

/** Bytes of manifests kept in memory. */
const REMEMBERED = 32 * 1024 * 1024;

/** Manifests of repositories that live here, by digest. */
export class Manifests {
  readonly #options: ManifestsOptions;
  readonly #memory = new LRUCache<Digest, Uint8Array>({
    maxSize: REMEMBERED,
    sizeCalculation: (bytes) => bytes.length + 500,
  });

  constructor(options: ManifestsOptions) {
    this.#options = options;
  }

  /** `undefined` where the repository has no such manifest, or it is damaged and has been set aside. */
  async get(repository: Repository, digest: Digest): Promise<Manifest | undefined> {
    const link = await this.#options.records.link(repository, digest);
    // Without a type it was pushed as a blob: an image's configuration would pass for a manifest.
    if (link?.mediaType === undefined) return undefined;
    const bytes = this.#memory.get(digest) ?? (await this.#load(digest, link));
    if (bytes === undefined) return undefined;
    return { descriptor: { mediaType: link.mediaType, digest, size: bytes.length }, bytes };
  }

  async #load(digest: Digest, { size }: Link): Promise<Uint8Array | undefined> {
    const { content } = this.#options;
    if (size > LARGEST_MANIFEST) return undefined;
    await using blob = await content.open(digest, { size });
    if (blob === undefined) return undefined;
    const bytes = await wholeOf(blob);
    if (digestOf(bytes, algorithmOf(digest)) !== digest) {
      await blob.setAside('digest');
      return undefined;
    }
    this.#memory.set(digest, bytes);
    return bytes;
  }
}
