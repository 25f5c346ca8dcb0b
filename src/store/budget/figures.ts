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
