import { asError } from '../core/errors.ts';
import { Pulse } from '../core/pulse.ts';
import type { Buffers, Lease } from './buffers.ts';

/**
 * Gathers small chunks into large blocks: copies what comes into one buffer while the other one is
 * being kept. An idle batcher passes on whatever it has at once, so nothing waits for a full block.
 */
export class Batcher {
  readonly #leases: readonly [Lease, Lease];
  readonly #keep: (block: Uint8Array) => Promise<void>;
  readonly #changed = new Pulse();
  #filling: 0 | 1 = 0;
  #filled = 0;
  #keeping = 0;
  #failure: Error | undefined;

  constructor(buffers: Buffers, keep: (block: Uint8Array) => Promise<void>) {
    this.#leases = [buffers.lend(Infinity), buffers.lend(Infinity)];
    this.#keep = keep;
  }

  /** Bytes taken and not yet kept. */
  get pending(): number {
    return this.#filled + this.#keeping;
  }

  /** No promise: the chunk has been copied, go on. */
  write(chunk: Uint8Array): Promise<void> | undefined {
    if (this.#failure !== undefined) throw this.#failure;
    const taken = this.#take(chunk);
    return taken === chunk.length ? undefined : this.#writeRest(chunk.subarray(taken));
  }

  /** Waits until everything is kept. @throws what keeping threw */
  async flush(): Promise<void> {
    while (this.pending > 0 && this.#failure === undefined) await this.#changed.wait();
    if (this.#failure !== undefined) throw this.#failure;
  }

  fail(reason: Error): void {
    this.#failure ??= reason;
    this.#changed.give();
  }

  /** Waits for the block that is being kept; the rest is dropped after a failure. */
  async close(): Promise<void> {
    while (this.#keeping > 0) await this.#changed.wait();
    for (const lease of this.#leases) lease[Symbol.dispose]();
  }

  #take(chunk: Uint8Array): number {
    const { bytes } = this.#leases[this.#filling];
    const taken = Math.min(chunk.length, bytes.length - this.#filled);
    bytes.set(taken === chunk.length ? chunk : chunk.subarray(0, taken), this.#filled);
    this.#filled += taken;
    if (this.#keeping === 0) void this.#run();
    return taken;
  }

  async #writeRest(chunk: Uint8Array): Promise<void> {
    for (let rest = chunk; rest.length > 0;) {
      await this.#changed.wait();
      if (this.#failure !== undefined) throw this.#failure;
      rest = rest.subarray(this.#take(rest));
    }
  }

  async #run(): Promise<void> {
    while (this.#filled > 0 && this.#failure === undefined) {
      const block = this.#leases[this.#filling].bytes.subarray(0, this.#filled);
      this.#filling = this.#filling === 0 ? 1 : 0;
      this.#keeping = this.#filled;
      this.#filled = 0;
      try {
        const kept = this.#keep(block);
        this.#changed.give();
        await kept;
      } catch (error) {
        this.#failure ??= asError(error);
      } finally {
        this.#keeping = 0;
        this.#changed.give();
      }
    }
  }
}
