import { LRUCache } from 'lru-cache';
import { entriesOf } from '../../core/image-index.ts';
import { digestOf, algorithmOf, type Digest } from '../../core/digest.ts';
import { LARGEST_MANIFEST, manifestOf, mediaTypeOf, parseManifest } from '../../core/manifest.ts';
import type { Manifest } from '../../core/manifest.ts';
import { parseDescriptor } from '../../core/descriptor.ts';
import { asError } from '../../core/errors.ts';
import { atDigest, type Repository, type Tag } from '../../core/reference.ts';
import type { Range } from '../../core/range.ts';
import type { Blob, Source } from '../../core/source.ts';
import type { CacheOptions } from './cache-options.ts';
import { ContentCache } from './content-cache.ts';
import { resuming } from '../resuming.ts';
import { Fills } from './fills.ts';
import { Gathering } from './gathering.ts';
import { Neighbours } from './neighbours.ts';
import { whole, type Kept } from './wholes.ts';

export interface CachedOptions extends CacheOptions {
  /** How often a body that breaks without any progress is asked for again; 5 if left out. */
  readonly retries?: number;
}

/** A cache that any number of sources may be put behind. Disposing it ends its downloads. */
export interface Caching extends AsyncDisposable {
  /**
   * The same source, which asks for content by digest once and has it on this disk from then on.
   * Parts of what is not there yet come straight from the source; those that follow one another from
   * the first byte to the last are kept, too. Tags are always asked for.
   */
  over(source: Source): Source;
}

/** How many blobs' sizes are remembered from the manifests that went by. */
const SIZES = 10_000;

/** Makes nothing on the disk before something is to be kept there. */
export function contentCache(options: CachedOptions): Caching {
  const cache = new ContentCache(options);
  const { retries = 5 } = options;
  const neighbours = new Neighbours();
  const fills = new Fills({ cache, neighbours, retries });
  const gathering = new Gathering(cache);
  return {
    over: (source) =>
      new Cached(source, resuming(source, { retries }), { cache, fills, neighbours, gathering }),
    [Symbol.asyncDispose]: async () => {
      await fills[Symbol.asyncDispose]();
      await gathering[Symbol.asyncDispose]();
      await cache[Symbol.asyncDispose]();
    },
  };
}

interface Common extends Kept {
  readonly gathering: Gathering;
}

class Cached implements Source {
  readonly #source: Source;
  /** For what is passed on: downloads into the cache look after themselves. */
  readonly #resuming: Source;
  readonly #kept: Common;
  /** What manifests say: a file of another size is not what it was. */
  readonly #sizes = new LRUCache<Digest, number>({ max: SIZES });

  constructor(source: Source, resuming: Source, kept: Common) {
    this.#source = source;
    this.#resuming = resuming;
    this.#kept = kept;
  }

  async resolve(repository: Repository, at: Tag | Digest) {
    const held = atDigest(at) ? await this.#held(at) : undefined;
    return held ?? this.#source.resolve(repository, at);
  }

  async manifest(repository: Repository, at: Tag | Digest) {
    const held = atDigest(at) ? await this.#held(at) : undefined;
    const manifest = held ?? (await this.#source.manifest(repository, at));
    for (const { digest, size } of listed(manifest)) this.#sizes.set(digest, size);
    if (held === undefined) await this.#keep(repository, manifest);
    return manifest;
  }

  async stat(repository: Repository, digest: Digest) {
    const size = await this.#kept.cache.size(digest);
    const known = this.#sizes.get(digest);
    if (size !== undefined && (known === undefined || size === known)) return { size };
    return this.#source.stat(repository, digest);
  }

  async blob(repository: Repository, digest: Digest, range?: Range): Promise<Blob> {
    const size = this.#sizes.get(digest);
    if (range === undefined) {
      const origin = { repository, upstream: this.#source };
      return await whole({ ...this.#kept, origin, digest, size });
    }
    const held = await this.#kept.cache.open(digest, { range, size });
    if (held !== undefined) return held;
    const part = await this.#resuming.blob(repository, digest, range);
    return await this.#kept.gathering.follow(repository, digest, part);
  }

  tags(repository: Repository) {
    return this.#source.tags(repository);
  }

  referrers(repository: Repository, digest: Digest) {
    return this.#source.referrers(repository, digest);
  }

  async #held(digest: Digest): Promise<Manifest | undefined> {
    const blob = await this.#kept.cache.open(digest);
    if (blob === undefined) return undefined;
    await using held = blob;
    // A blob may be asked for as a manifest, and be of any size.
    if (held.size > LARGEST_MANIFEST) return undefined;
    try {
      const chunks: Uint8Array[] = [];
      for await (const chunk of held.body) chunks.push(chunk);
      return manifestOf(Buffer.concat(chunks), undefined, algorithmOf(digest));
    } catch {
      // Damaged, or no manifest: the source knows.
      return undefined;
    }
  }

  /** Only what its bytes alone say everything of. */
  async #keep(repository: Repository, manifest: Manifest): Promise<void> {
    const { bytes, descriptor } = manifest;
    const { digest, mediaType } = descriptor;
    if (digestOf(bytes, algorithmOf(digest)) !== digest || mediaTypeOf(bytes) !== mediaType) return;
    await using ingest = await this.#kept.cache.ingest(repository, digest);
    if (!ingest.storing) return;
    try {
      await ingest.expect(bytes.length);
      await ingest.write(bytes.subarray(ingest.length));
      await ingest.commit();
    } catch (error) {
      // It is in hand: what could not be kept, the next one fetches.
      ingest.fail(asError(error));
    }
  }
}

/** Everything with a digest and a size that the manifest lists. */
function listed({
  bytes,
}: Manifest): readonly { readonly digest: Digest; readonly size: number }[] {
  const { config, layers } = parseManifest(bytes);
  const blobs = [config, ...(Array.isArray(layers) ? layers : [])];
  return [...entriesOf(bytes), ...blobs.flatMap((value: unknown) => parseDescriptor(value) ?? [])];
}
