import { hexOf, type Digest } from '../core/digest.ts';

/** Enough of a digest for a person to tell it from others. */
export function shortDigest(digest: Digest): string {
  return hexOf(digest).slice(0, 12);
}
