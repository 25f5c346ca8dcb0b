import type { Digest } from '../core/digest.ts';
import { RegistryError } from '../core/errors.ts';
import { pourBlob } from '../core/pour.ts';
import type { Range } from '../core/range.ts';
import type { Repository } from '../core/reference.ts';
import { rewrap } from '../core/rewrap.ts';
import type { Blob, Write } from '../core/source.ts';
import { Persistence } from '../store/persistence.ts';

export interface ResumedOptions {
  readonly open: (range: Range) => Promise<Blob>;
  readonly retries: number;
  readonly repository: Repository;
  readonly digest: Digest;
}

/** One blob, by however many openings it takes. */
export class Resumed {
  readonly blob: Blob;
  readonly #options: ResumedOptions;
  readonly #stop = new AbortController();
  readonly #persistence: Persistence;
  readonly #size: number;
  readonly #end: number;
  /** Of those that were opened, the one that is being read. */
  #current: Blob | undefined;
  #position: number;

  constructor(first: Blob, options: ResumedOptions) {
    this.#options = options;
    this.#persistence = new Persistence(options.retries, this.#stop.signal);
    this.#size = first.size;
    this.#end = first.span.end;
    this.#position = first.span.start;
    this.#current = first;
    this.blob = rewrap(first, {
      body: this.#body(),
      ...(first.pour && { pour: (write: Write) => this.#pour(write) }),
      [Symbol.asyncDispose]: async () => {
        this.#stop.abort();
        await this.#close();
      },
    });
  }

  async *#body(): AsyncGenerator<Uint8Array> {
    for (;;) {
      try {
        for await (const chunk of (await this.#opened()).body) {
          this.#advance(chunk);
          yield chunk;
        }
        return;
      } catch (error) {
        if (await this.#ends(error)) return;
      }
    }
  }

  async #pour(write: Write): Promise<void> {
    let refused = false;
    const take: Write = async (chunk) => {
      this.#advance(chunk);
      try {
        await write(chunk);
      } catch (error) {
        refused = true;
        throw error;
      }
    };
    for (;;) {
      try {
        const blob = await this.#opened();
        await pourBlob(blob, take);
        return;
      } catch (error) {
        if (refused) throw error;
        if (await this.#ends(error)) return;
      }
    }
  }

  #advance(chunk: Uint8Array): void {
    this.#position += chunk.length;
    this.#persistence.progress();
  }

  /** Whether nothing is missing any more; otherwise waits until another attempt makes sense. */
  async #ends(error: unknown): Promise<boolean> {
    if (this.#stop.signal.aborted) throw error;
    await this.#persistence.recover(error);
    await this.#close();
    return this.#position === this.#end;
  }

  async #opened(): Promise<Blob> {
    if (this.#current !== undefined) return this.#current;
    const { open, repository, digest } = this.#options;
    const blob = await open({ from: this.#position, to: this.#end - 1 });
    this.#current = blob;
    if (this.#stop.signal.aborted) await this.#close();
    if (blob.size === this.#size && blob.span.start === this.#position) return blob;
    throw new RegistryError(
      'UPSTREAM_INVALID',
      `${repository.host} says that ${digest} has ${blob.size} bytes, having said ${this.#size}`,
    );
  }

  async #close(): Promise<void> {
    const current = this.#current;
    this.#current = undefined;
    await current?.[Symbol.asyncDispose]();
  }
}
