import { Hasher, type Algorithm, type Digest } from './digest.ts';

/** The hash of bytes that come one after the other. */
export interface RunningHash extends Disposable {
  /**
   * Sees bytes that follow those before, also while those are still being hashed. They stay as they are until
   * the promise settles; without one they have been seen. @throws RegistryError if it cannot go on
   */
  update(bytes: Uint8Array): Promise<void> | undefined;
  /** Of all that it was given; it goes on. @throws RegistryError if it could not go on */
  digest(): Promise<Digest>;
}

/** Hashes on the thread of whoever calls. */
export function hashHere(algorithm: Algorithm): RunningHash {
  const hasher = new Hasher(algorithm);
  return {
    update: (bytes) => {
      hasher.update(bytes);
      return undefined;
    },
    digest: async () => hasher.digest(),
    [Symbol.dispose]() {},
  };
}
