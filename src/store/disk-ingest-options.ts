import type { Digest } from '../core/digest.ts';
import type { Claim } from './budget/room.ts';
import type { Buffers } from './buffers.ts';

/** What taking content in to the disk needs, and whom it tells. */
export interface DiskIngestOptions {
  readonly digest: Digest;
  /** Where the bytes grow, and where they appear once they are right. */
  readonly growing: string;
  readonly final: string;
  readonly buffers: Buffers;
  /** `here`: no other thread hashes, which would take some 20 MB more; `anywhere` if left out. */
  readonly hashing?: 'here' | 'anywhere';
  /** Sets room aside for content of so many bytes; `undefined`: it is passed on without being stored. */
  readonly claim: (size: number) => Promise<Claim | undefined>;
  /** Disposed when nobody writes or reads the file any more. */
  readonly use: Disposable;
  /** Something could not be stored; readers are served all the same. */
  readonly onError: (operation: string, error: Error) => void;
  /** What becomes of the file when it is not committed. */
  readonly leftover: 'resumable' | 'removed';
  /** Bytes of memory for what cannot be stored, so that readers may be apart by as much; 8 MiB if left out. */
  readonly window?: number;
  /** It has become visible; bytes. */
  readonly onStored: (size: number) => void;
  /** How long it took until it was safe and visible. */
  readonly onCommitted: (seconds: number) => void;
  readonly onClosed: () => void;
}
