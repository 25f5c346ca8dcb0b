import { algorithmOf, Hasher, type Digest } from '../../core/digest.ts';
import { RegistryError } from '../../core/errors.ts';
import { pourBlob } from '../../core/pour.ts';
import type { Blob, Shared, Write } from '../../core/source.ts';
import { NeighbourLost } from './neighbour.ts';

/** A blob from some position to its end, and who fetches it: another process, or this one if anybody. */
export type Part =
  | { readonly by: 'neighbour'; readonly blob: Blob; readonly file: string }
  | { readonly by: 'us'; readonly blob: Blob };

/** How often in a row a neighbour is followed that gives nothing. */
export const VAIN = 3;

export interface RelayOptions {
  readonly digest: Digest;
  /** Where it goes on from that byte; with `VAIN` in vain, by this process in any case. */
  readonly next: (from: number, vain: number) => Promise<Part>;
  readonly onLost: (lost: NeighbourLost) => void;
  /** What was read was not what the digest says. */
  readonly onWrong: () => void;
}

/**
 * A blob that begins with what another process is fetching. Where that one ends, or stands still, it
 * goes on with another one's, or by itself. It hashes all of it: the end is clean when that is right,
 * whoever it came from.
 */
export function relay(first: Part, options: RelayOptions): Blob {
  const running = new Relay(first, options);
  const { size, span } = first.blob;
  return {
    size,
    span,
    shared: () => running.shared,
    body: running.body(),
    pour: (write) => running.pour(write),
    [Symbol.asyncDispose]: () => running[Symbol.asyncDispose](),
  };
}

class Relay implements AsyncDisposable {
  readonly #options: RelayOptions;
  readonly #hasher: Hasher;
  #part: Part;
  #position = 0;
  /** Where the part began, and how much of it others had fetched before. */
  #begin = 0;
  #shared = 0;
  #vain = 0;
  #disposed = false;

  constructor(first: Part, options: RelayOptions) {
    this.#options = options;
    this.#hasher = new Hasher(algorithmOf(options.digest));
    this.#part = first;
  }

  get shared(): Shared {
    const { served } = this.#part.blob;
    return { bytes: this.#shared, ...(served && { served }) };
  }

  async *body(): AsyncGenerator<Uint8Array> {
    for (;;) {
      try {
        for await (const chunk of this.#part.blob.body) {
          this.#take(chunk);
          yield chunk;
        }
        break;
      } catch (error) {
        await this.#goOn(error);
      }
    }
    this.#check();
  }

  async pour(write: Write): Promise<void> {
    for (;;) {
      try {
        await pourBlob(this.#part.blob, (chunk) => {
          this.#take(chunk);
          return write(chunk);
        });
        break;
      } catch (error) {
        await this.#goOn(error);
      }
    }
    this.#check();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed = true;
    await this.#part.blob[Symbol.asyncDispose]();
  }

  #take(chunk: Uint8Array): void {
    const { by, blob } = this.#part;
    this.#hasher.update(chunk);
    // What a process had fetched that ended is on this machine when this one goes on with it.
    const others = by === 'neighbour' ? Infinity : (blob.local ?? 0);
    const before = this.#position - this.#begin;
    this.#shared += Math.max(0, Math.min(chunk.length, others - before));
    this.#position += chunk.length;
  }

  /** @throws the error where it is not that a neighbour was lost */
  async #goOn(error: unknown): Promise<void> {
    if (!(error instanceof NeighbourLost) || this.#disposed) throw error;
    const { next, onLost } = this.#options;
    onLost(error);
    this.#vain = this.#position > this.#begin ? 0 : this.#vain + 1;
    this.#begin = this.#position;
    await this.#part.blob[Symbol.asyncDispose]();
    this.#part = await next(this.#position, this.#vain);
    if (!this.#disposed) return;
    await this.#part.blob[Symbol.asyncDispose]();
    throw error;
  }

  #check(): void {
    const { digest, onWrong } = this.#options;
    if (this.#hasher.digest() === digest) return;
    onWrong();
    throw new RegistryError(
      'DIGEST_INVALID',
      `what another process was sent for ${digest} was something else`,
    );
  }
}
