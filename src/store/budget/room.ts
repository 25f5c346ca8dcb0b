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

/** Room for pushes, whose size nobody knows before their end, and which nobody could fetch again. */
export interface UploadRoom {
  /**
   * Sees to room for `need` bytes of an upload in all, or for `want` where that takes nothing from
   * others. Tells how many there is room for; they count from now on.
   * @throws RegistryError STORAGE_UNAVAILABLE: with 507 where no room can be made, with 503 for now
   */
  grow(name: string, need: number, want: number): Promise<number>;
  /** Whether so many could ever be had. @throws as `grow` does, 507 */
  admit(name: string, size: number): void;
  /** The upload has so many bytes, and nobody is adding any; 0: there is no such upload. */
  rest(name: string, bytes: number): void;
}

/** As much as anybody wants. */
export const boundlessUploads: UploadRoom = {
  grow: async () => Infinity,
  admit() {},
  rest() {},
};
