import type { Digest } from './digest.ts';
import type { Manifest, Resolution } from './manifest.ts';
import type { Range, Span } from './range.ts';
import type { Repository, Tag } from './reference.ts';
import type { Referrer } from './referrer.ts';
import type { Answered } from './served.ts';

/** Takes one chunk. The chunk may be reused once the promise settles, and not before. */
export type Write = (chunk: Uint8Array) => Promise<void>;

/**
 * Content on its way. Whoever got it disposes it, read or not: that closes the file or the
 * connection behind it. It is read once, by `body` or by `pour`.
 */
export interface Blob extends Answered, AsyncDisposable {
  /** Of the whole blob, in bytes, also when this is a part of it. */
  readonly size: number;
  /** The bytes that this holds. */
  readonly span: Span;
  /** How many of them were on this machine before anybody was asked; none if left out. */
  readonly local?: number;
  /** What is only known as it is read, in place of `local` and `served`. */
  readonly shared?: () => Shared;
  /**
   * Ends without an error only when the bytes were right and all there; throws otherwise. Chunks
   * belong to whoever receives them.
   */
  readonly body: AsyncIterable<Uint8Array>;
  /**
   * The same bytes by way of reused buffers, where the source has them; the promise is that of `body`.
   * A chunk may be handed over while the one before it is still being written.
   */
  readonly pour?: (write: Write) => Promise<void>;
}

/** How a blob has come so far that another process on this machine was fetching. */
export interface Shared extends Answered {
  /** How many of the bytes that have been read that process had fetched; `served` tells of the others. */
  readonly bytes: number;
}

/** What is known of a blob without opening it. */
export interface BlobStat extends Answered {
  readonly size: number;
}

/** Whole, in the order the source keeps. */
export interface Listing<T> extends Answered {
  readonly items: readonly T[];
}

/**
 * Anywhere content can be read from: an upstream, a mirror of one, a folder, an archive. What is
 * not there throws `RegistryError` MANIFEST_UNKNOWN, BLOB_UNKNOWN or NAME_UNKNOWN.
 */
export interface Source {
  /** A folder, an archive or a store on this machine: no network is asked for what is in it. */
  readonly lies?: 'here';
  resolve(repository: Repository, at: Tag | Digest): Promise<Resolution>;
  manifest(repository: Repository, at: Tag | Digest): Promise<Manifest>;
  stat(repository: Repository, digest: Digest): Promise<BlobStat>;
  /** @throws RegistryError RANGE_INVALID, with `detail.size`, for a range that holds no byte of the blob */
  blob(repository: Repository, digest: Digest, range?: Range): Promise<Blob>;
  /** Sorted by code unit ("ASCII order" of the distribution specification). */
  tags(repository: Repository): Promise<Listing<Tag>>;
  /** Every referrer, unfiltered; none is an empty list, never an error. */
  referrers(repository: Repository, digest: Digest): Promise<Listing<Referrer>>;
}
