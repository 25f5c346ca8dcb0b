import { setImmediate } from 'node:timers/promises';
import type { Digest } from '../../core/digest.ts';

export interface AccessesOptions {
  readonly now: () => number;
  /** Writes access times down. */
  readonly write: (batch: readonly (readonly [Digest, number])[]) => void;
}

/** How many are remembered at most, and how many are written together: half a millisecond's work. */
const REMEMBERED = 8_192;
const BATCH = 128;

/** When content was asked for: gathered in bounded memory, so that a hit costs no write. */
export class Accesses {
  readonly #options: AccessesOptions;
  readonly #noted = new Map<Digest, number>();

  constructor(options: AccessesOptions) {
    this.#options = options;
  }

  note(digest: Digest): void {
    this.#noted.set(digest, this.#options.now());
    if (this.#noted.size > REMEMBERED) this.#writeSome();
  }

  /** Whether an access is known here that has not been written down yet. */
  has(digest: Digest): boolean {
    return this.#noted.has(digest);
  }

  /** Writes down what there is, in small pieces with room for others between them. */
  async flush(): Promise<void> {
    for (let left = this.#noted.size; left > 0 && this.#noted.size > 0; left -= BATCH) {
      this.#writeSome();
      await setImmediate();
    }
  }

  /** Writes down everything now. */
  flushNow(): void {
    while (this.#noted.size > 0) this.#writeSome();
  }

  #writeSome(): void {
    const batch = [...this.#noted.entries().take(BATCH)];
    for (const [digest] of batch) this.#noted.delete(digest);
    this.#options.write(batch);
  }
}
