import type { Digest } from '../../core/digest.ts';

/** Room that is set aside for content on its way. It ends by `end`, whatever becomes of the content. */
export interface Claim {
  /** So many more bytes are on the disk. */
  wrote(bytes: number): void;
  /** The content is whole and about to become visible. */
  appearing(): void;
  /** It is visible, or so many bytes of it stay behind. */
  end(left: 'visible' | number): void;
}

/** Sets room aside before content is stored, so that the store never grows beyond its budget. */
export interface Room {
  /**
   * Room for `size` bytes. Others may have to leave first. `undefined` when no room can be made: then
   * the content must not be stored. `resumable`: what an earlier attempt left is gone on with, and
   * what this one leaves may be.
   */
  claim(
    digest: Digest,
    size: number,
    leftover: 'resumable' | 'removed',
  ): Promise<Claim | undefined>;
}

/** As much as anybody wants. */
export const boundless: Room = {
  claim: async () => ({ wrote() {}, appearing() {}, end() {} }),
};
