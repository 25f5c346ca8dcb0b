/** A buffer on loan; disposing gives it back, after which its bytes may change at any time. */
export interface Lease extends Disposable {
  readonly bytes: Buffer;
}

/** Bytes. Large reads cost a third of the processor time of small ones; see docs/benchmarks.md. */
const LARGE = 512 * 1024;
const SMALL = 64 * 1024;

/**
 * Lends the large buffers that content is read and written with, so that the number of streams
 * does not set the memory: beyond `limit` bytes on loan a stream gets a small one. Large ones are in shared
 * memory, so that the thread that hashes needs no copies.
 */
export class Buffers {
  readonly #limit: number;
  readonly #idle: Buffer[] = [];
  #lent = 0;

  constructor(limit = 64 * 1024 * 1024) {
    this.#limit = limit;
  }

  /** A buffer to move `wanted` bytes with: not always that large, and never larger than it pays. */
  lend(wanted: number): Lease {
    if (wanted <= SMALL || this.#lent + LARGE > this.#limit) {
      return {
        bytes: Buffer.allocUnsafeSlow(Math.max(1, Math.min(wanted, SMALL))),
        [Symbol.dispose]() {},
      };
    }
    const bytes = this.#idle.pop() ?? Buffer.from(new SharedArrayBuffer(LARGE));
    this.#lent += LARGE;
    let returned = false;
    return {
      bytes,
      [Symbol.dispose]: () => {
        if (returned) return;
        returned = true;
        this.#lent -= LARGE;
        this.#idle.push(bytes);
      },
    };
  }
}
