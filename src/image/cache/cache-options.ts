import type { Digest } from '../../core/digest.ts';
import type { Buffers } from '../../store/buffers.ts';

export type CacheEvent =
  /** Told once: what cannot be kept is passed on all the same. */
  | {
      readonly type: 'cache-unusable';
      readonly folder: string;
      readonly operation: string;
      readonly error: Error;
    }
  | { readonly type: 'cache-damaged'; readonly digest: Digest }
  /** Bytes. */
  | { readonly type: 'cache-trimmed'; readonly removed: number; readonly total: number };

export interface CacheOptions {
  /** Made if it is not there. */
  readonly folder: string;
  /** Bytes. More is there only until what is being written has been counted. */
  readonly maxSize: number;
  /** Bytes of the disk that are left to others: with fewer free nothing is kept. 256 MiB if left out. */
  readonly minFree?: number;
  /** Milliseconds with hardly a byte after which another process's download is not waited for; 5000 if left out. */
  readonly patience?: number;
  readonly buffers?: Buffers;
  readonly observe?: (event: CacheEvent) => void;
}
