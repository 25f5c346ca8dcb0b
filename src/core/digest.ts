import type { Hash } from 'node:crypto';
import { RegistryError } from './errors.ts';

declare const brand: unique symbol;

export type Algorithm = 'sha256' | 'sha512';

/**
 * `algorithm:hex`, lower case, of the right length (image-spec descriptor.md "Digests"). Only
 * `parseDigest` and `digestOf` make one, so it is always safe in a path, a key or a header.
 */
export type Digest = `${Algorithm}:${string}` & { readonly [brand]: 'Digest' };

const GRAMMAR = /^(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$/;

export function isDigest(text: string): text is Digest {
  return GRAMMAR.test(text);
}

/** @throws RegistryError DIGEST_INVALID */
export function parseDigest(text: string): Digest {
  if (isDigest(text)) return text;
  throw new RegistryError(
    'DIGEST_INVALID',
    `not a digest: ${JSON.stringify(text.slice(0, 160))}; sha256:<64 hex> or sha512:<128 hex>, lower case`,
  );
}

export function algorithmOf(digest: Digest): Algorithm {
  return digest.startsWith('sha256:') ? 'sha256' : 'sha512';
}

export function hexOf(digest: Digest): string {
  return digest.slice(digest.indexOf(':') + 1);
}

/** Of no bytes at all (image-spec descriptor.md, "Registered Algorithms"; FIPS 180-4). */
const OF_NOTHING: ReadonlySet<string> = new Set([
  'sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
  'sha512:cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e',
]);

/** Whether content of so many bytes may have the digest, as far as can be told without hashing it. */
export function mayHaveSize(digest: Digest, size: number): boolean {
  return (size === 0) === OF_NOTHING.has(digest);
}

/** Loaded when something is hashed: a list of tags is read without. */
function newHash(algorithm: Algorithm): Hash {
  return process.getBuiltinModule('node:crypto').createHash(algorithm);
}

/** A running hash; `copy` lets several readers go on from the same position. */
export class Hasher {
  readonly algorithm: Algorithm;
  #hash: Hash;

  constructor(algorithm: Algorithm, hash: Hash = newHash(algorithm)) {
    this.algorithm = algorithm;
    this.#hash = hash;
  }

  update(bytes: Uint8Array): void {
    this.#hash.update(bytes);
  }

  copy(): Hasher {
    return new Hasher(this.algorithm, this.#hash.copy());
  }

  /** The digest of what has been seen so far; the hash goes on. */
  digest(): Digest {
    return `${this.algorithm}:${this.#hash.copy().digest('hex')}` as Digest;
  }
}

export function digestOf(bytes: Uint8Array, algorithm: Algorithm = 'sha256'): Digest {
  const hasher = new Hasher(algorithm);
  hasher.update(bytes);
  return hasher.digest();
}
