/** How many blobs each process of `crowd.ts` wants. */
export const CROWD = 60;

/** What a process of `crowd.ts` tells in the end. */
export interface Crowd {
  /** What it asked its source for. */
  readonly digests: readonly string[];
}
