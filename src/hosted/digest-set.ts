import { hexOf, type Digest } from '../core/digest.ts';

/**
 * Digests by the million, at some 16 bytes each: what counts of a digest here are its first 64 bits.
 * So it may, once in an age, hold one that was never added; one that was added it always holds.
 */
export class DigestSet {
  /** Open addressing; zero is an empty place. */
  #places = new BigUint64Array(1024);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  add(digest: Digest): void {
    if (this.#size * 2 >= this.#places.length) this.#grow();
    this.#insert(valueOf(digest));
  }

  has(digest: Digest): boolean {
    const value = valueOf(digest);
    return this.#places[this.#placeOf(value)] === value;
  }

  #insert(value: bigint): void {
    const place = this.#placeOf(value);
    if (this.#places[place] === value) return;
    this.#places[place] = value;
    this.#size += 1;
  }

  /** Where the value is, or belongs. */
  #placeOf(value: bigint): number {
    const mask = this.#places.length - 1;
    let place = Number(value & BigInt(mask));
    for (;;) {
      const there = this.#places[place];
      if (there === value || there === 0n) return place;
      place = (place + 1) & mask;
    }
  }

  #grow(): void {
    const before = this.#places;
    this.#places = new BigUint64Array(before.length * 2);
    this.#size = 0;
    for (const value of before) if (value !== 0n) this.#insert(value);
  }
}

function valueOf(digest: Digest): bigint {
  return BigInt(`0x${hexOf(digest).slice(0, 16)}`) || 1n;
}
