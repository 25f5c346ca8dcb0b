import { hexOf, parseDigest, type Digest } from '../../core/digest.ts';

/** A digest in as few bytes as it can be kept in: the length tells the algorithm. */
export function packed(digest: Digest): Uint8Array {
  return Buffer.from(hexOf(digest), 'hex');
}

/** @throws RegistryError DIGEST_INVALID for what `packed` has not made */
export function unpacked(value: unknown): Digest {
  const bytes = value instanceof Uint8Array ? Buffer.from(value) : Buffer.alloc(0);
  const algorithm = bytes.length === 32 ? 'sha256' : 'sha512';
  return parseDigest(`${algorithm}:${bytes.toString('hex')}`);
}
