import type { Digest } from '../core/digest.ts';
import type { Origin } from './origins.ts';
import type { ContentStore } from './store.ts';

export interface DownloadOptions {
  readonly origin: Origin;
  readonly digest: Digest;
  readonly store: Pick<ContentStore, 'ingest'>;
  readonly retries: number;
  /** Milliseconds without a reader after which it stops. */
  readonly abandonAfter: number;
  readonly onResume?: (at: number) => void;
  /** Somebody began to follow it, or stopped. */
  readonly onReaders?: (change: 1 | -1) => void;
  /** The content is right; `stored` tells whether it is in the store, too. Readers come until this settles. */
  readonly onDone: (size: number, stored: boolean) => Promise<void>;
}
