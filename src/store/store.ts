import type { Digest, Hasher } from '../core/digest.ts';
import type { Range } from '../core/range.ts';
import type { Blob } from '../core/source.ts';
import type { Room } from './budget/room.ts';

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
  open(digest: Digest, options?: OpenOptions): Promise<StoredBlob | undefined>;
  /** Bytes held under the digest; `undefined` when absent. */
  size(digest: Digest): Promise<number | undefined>;
  /**
   * Starts to take content in, or goes on with what an earlier attempt for the same digest left,
   * unless somebody else does so at the moment. Never fails for want of room.
   */
  ingest(digest: Digest): Promise<Ingest>;
  remove(digest: Digest): Promise<void>;
}

/** A store that also takes in what comes once and cannot be asked for again. */
export interface IntakeStore extends ContentStore {
  /**
   * As `ingest`, in a file of its own, with nothing to go on from and nothing left of it uncommitted;
   * `room` has been set aside by whoever calls.
   */
  ingestApart(digest: Digest, room?: Room): Promise<Ingest>;
}

/** What was there when it was opened; under its digest there may be other content by now. */
export interface StoredBlob extends Blob {
  /**
   * Takes it out of sight, as it turned out to be wrong, keeping it for people to look at. Content
   * stored since it was opened stays. To be called before it is disposed. Gives whether it was this
   * call that took it away: `false` when it was gone or had been replaced.
   */
  setAside(reason: DamageReason): Promise<boolean>;
}

export type DamageReason = 'size' | 'digest';

/**
 * Content being taken in. One writer, any number of readers. Disposed uncommitted it stays
 * resumable, and its readers fail.
 */
export interface Ingest extends AsyncDisposable {
  /** Bytes that readers can have by now; at first, what an earlier attempt left to go on from. */
  readonly length: number;
  /** Whether what is written is kept; `false` once there is no room. */
  readonly storing: boolean;
  /**
   * States the size, in bytes, before the first `write` and `read`. If more is there already it
   * cannot be right: it is thrown away, and `length` is 0.
   */
  expect(size: number): Promise<void>;
  /**
   * Takes a chunk, which may be reused once the promise settles, or at once when there is none.
   * Never fails for want of room: what cannot be stored is passed on to readers through a bounded
   * window of memory.
   * @throws RegistryError SIZE_INVALID for bytes beyond the size
   */
  write(chunk: Uint8Array): Promise<void> | undefined;
  /**
   * Checks size and digest, lets readers finish, then makes the content visible. `stored` tells
   * whether it did: there may have been no room.
   * @throws RegistryError DIGEST_INVALID, SIZE_INVALID; readers have failed and the bytes are gone
   */
  commit(): Promise<{ readonly stored: boolean }>;
  /** Fails readers with `reason` now. */
  fail(reason: Error): void;
  /** The same, where what has come is nothing to go on from: disposed, it is gone. */
  discard(reason: Error): void;
  /**
   * Follows the bytes as they come. The last one is held back until the digest is checked.
   * @throws RegistryError RANGE_INVALID; while reading, the reason of the failure, or `LeftBehind`
   */
  read(range?: Range): Blob;
}

/**
 * Thrown to a reader that was too slow while there was no room to store: its bytes have left the
 * memory window. It can go on alone: content from `position` on, hashed onwards with `hasher`.
 */
export class LeftBehind extends Error {
  readonly position: number;
  readonly hasher: Hasher;

  constructor(position: number, hasher: Hasher) {
    super(`the bytes from ${position} on have left the memory window`);
    this.name = 'LeftBehind';
    this.position = position;
    this.hasher = hasher;
  }
}
