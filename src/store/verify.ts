import { Hasher, algorithmOf, type Digest } from '../core/digest.ts';
import { asError } from '../core/errors.ts';
import type { Paths } from './paths.ts';
import type { ContentStore } from './store.ts';
import { storedDigests } from './stored.ts';

export interface Verified {
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
  readonly outcome: 'right' | 'damaged';
}

export interface VerifyOptions {
  readonly paths: Paths;
  readonly store: ContentStore;
  /** Waits until that many more bytes may be read; rejects to stop. */
  readonly pace?: (bytes: number) => Promise<void>;
  /**
   * Told of content that could not be read or set aside, which is passed over; without it that is
   * thrown. What it throws itself ends the verification.
   */
  readonly onUnreadable?: (digest: Digest, error: Error) => void;
}

/** Reads everything in the store once and sets aside what does not match its digest. */
export async function* verify(options: VerifyOptions): AsyncGenerator<Verified> {
  for await (const digest of storedDigests(options.paths)) {
    const verified = await readOne(digest, options);
    if (verified !== undefined) yield verified;
  }
}

async function readOne(digest: Digest, options: VerifyOptions): Promise<Verified | undefined> {
  try {
    return await verifyOne(digest, options);
  } catch (error) {
    if (options.onUnreadable === undefined) throw error;
    options.onUnreadable(digest, asError(error));
    return undefined;
  }
}

async function verifyOne(digest: Digest, options: VerifyOptions): Promise<Verified | undefined> {
  const { store, pace } = options;
  const size = await store.size(digest);
  if (size === undefined) return undefined;
  return { digest, size, outcome: (await isRight(store, digest, pace)) ? 'right' : 'damaged' };
}

/** Whether what is stored matches its digest, as nothing at all does; what does not is set aside. */
export async function isRight(
  store: ContentStore,
  digest: Digest,
  pace: (bytes: number) => Promise<void> = async () => {},
): Promise<boolean> {
  await using blob = await store.open(digest);
  if (blob === undefined) return false;
  const hasher = new Hasher(algorithmOf(digest));
  for await (const chunk of blob.body) {
    await pace(chunk.length);
    hasher.update(chunk);
  }
  if (hasher.digest() === digest) return true;
  if (await blob.setAside('digest')) return false;
  // What has taken its place since was checked when it came in.
  return (await store.size(digest)) !== undefined;
}
