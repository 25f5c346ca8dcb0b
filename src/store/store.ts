import type { Digest, Hasher } from '../core/digest.ts';
import type { Range } from '../core/range.ts';
import type { Blob } from '../core/source.ts';

/** What an ingest will hold, as far as it is known. A push learns its digest at the end. */
export interface Expected {
  readonly digest?: Digest;
  readonly size?: number;
}

export interface OpenOptions {
  readonly range?: Range | undefined;
  /** Bytes; content of another size is set aside and counts as absent. */
  readonly size?: number | undefined;
}

/** Content by digest. What it holds is complete and verified: there is no way to put anything else in. */
export interface ContentStore {
  /**
   * `undefined` when absent: absence is an answer here, not an error.
   * @throws RegistryError RANGE_INVALID, STORAGE_UNAVAILABLE
   */
  open(digest: Digest, options?: OpenOptions): Promise<Blob | undefined>;
  /** Bytes held under the digest; `undefined` when absent. */
  size(digest: Digest): Promise<number | undefined>;
  /**
   * Starts to take content in, or goes on with what an earlier attempt for the same digest left.
   * @throws RegistryError STORAGE_UNAVAILABLE
   */
  ingest(expected?: Expected): Promise<Ingest>;
  /** Takes content that turned out to be wrong out of sight, keeping it for people to look at. */
  setAside(digest: Digest): Promise<void>;
  remove(digest: Digest): Promise<void>;
}

/**
 * Content being taken in. Disposed uncommitted: with a digest expected it stays resumable, else it
 * is gone, and in both cases its readers fail. One writer, any number of readers.
 */
export interface Ingest extends AsyncDisposable {
  /** Bytes there already: the writer goes on from here. */
  readonly offset: number;
  /** States the size once it is known; `offset` beyond it throws what was there away. */
  expect(size: number): Promise<void>;
  /**
   * Copies the chunk before it returns. A promise means: wait before writing more. Never fails for
   * want of room: what cannot be stored is passed on to readers through a bounded window of memory.
   */
  write(chunk: Uint8Array): Promise<void> | undefined;
  /**
   * Checks size and digest and lets readers finish, then makes the content visible. `stored` tells
   * whether it did (there may have been no room).
   * @throws RegistryError DIGEST_INVALID, SIZE_INVALID; what was written is gone then
   */
  commit(digest: Digest): Promise<{ readonly stored: boolean }>;
  /** Fails readers with `reason` now; what was written stays resumable. */
  fail(reason: Error): void;
  /** Follows the bytes as they come; needs the size to be known. The last byte is held back until the digest is checked. */
  read(range?: Range): Blob;
}

/**
 * Thrown to a reader that was too slow while there was no room to store: its bytes have left the
 * memory window. It can go on alone from `position`, hashing onwards with `hasher`.
 */
export class LeftBehind extends Error {
  readonly position: number;
  readonly hasher: Hasher;

  constructor(position: number, hasher: Hasher) {
    super(`the reader fell behind at byte ${position} while there was no room to store`);
    this.name = 'LeftBehind';
    this.position = position;
    this.hasher = hasher;
  }
}
