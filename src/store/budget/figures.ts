import type { BlobIndex } from './blob-index.ts';
import type { Ledger } from './ledger.ts';
import type { Space } from './space.ts';

/** Bytes and counts. */
export interface Figures {
  /** Complete content. */
  readonly usedBytes: number;
  readonly objects: number;
  /** Promised to running downloads, or left behind by others. */
  readonly partialBytes: number;
  /** Of the complete content: never evicted. */
  readonly keptBytes: number;
  /** Of the file system that holds the store. */
  readonly availableBytes: number;
  readonly capacityBytes: number;
}

export function figuresOf({
  ledger,
  index,
  space,
}: {
  readonly ledger: Ledger;
  readonly index: BlobIndex;
  readonly space: Space;
}): Figures {
  const { bytes, objects } = ledger.stored;
  return {
    usedBytes: bytes,
    objects,
    partialBytes: ledger.partial,
    keptBytes: index.keptBytes,
    availableBytes: space.available,
    capacityBytes: space.capacity,
  };
}
