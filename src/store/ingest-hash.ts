import { algorithmOf, Hasher, type Algorithm, type Digest } from '../core/digest.ts';
import { runningHash } from '../core/hashing.ts';
import { hashHere, type RunningHash } from '../core/running-hash.ts';
import type { Buffers } from './buffers.ts';
import type { DiskIngestOptions } from './disk-ingest-options.ts';
import type { SharedFile } from './shared-file.ts';

export type IngestHashOptions = Pick<DiskIngestOptions, 'digest' | 'buffers' | 'hashing'>;

/** The hash of content that grows in a file; elsewhere from where the file cannot take it on. */
export class IngestHash implements Disposable {
  readonly #algorithm: Algorithm;
  readonly #file: SharedFile | undefined;
  readonly #buffers: Buffers;
  #running: RunningHash | undefined;
  #here: Hasher | undefined;

  constructor(file: SharedFile | undefined, options: IngestHashOptions) {
    this.#algorithm = algorithmOf(options.digest);
    this.#file = file;
    this.#buffers = options.buffers;
    this.#running = options.hashing === 'here' ? hashHere(this.#algorithm) : undefined;
  }

  /** Content of `size` bytes, of which the file has `length`. @throws RegistryError STORAGE_UNAVAILABLE */
  async begin(size: number, length: number): Promise<void> {
    this.#running ??= runningHash(this.#algorithm, size);
    await this.#file?.hash(length, this.#running, this.#buffers);
  }

  /** As `RunningHash` has it, after `begin`. */
  update(bytes: Uint8Array): Promise<void> | undefined {
    return this.#running?.update(bytes);
  }

  /**
   * A hash of the first `length` bytes, which can be copied and takes the place of the one there was. Another
   * thread's cannot be had from there, so what the file has is read once more.
   * @throws RegistryError STORAGE_UNAVAILABLE
   */
  async here(length: number): Promise<Hasher> {
    const hasher = new Hasher(this.#algorithm);
    await this.#file?.hash(length, hasher, this.#buffers);
    this.#here = hasher;
    return hasher;
  }

  /** Of everything so far, after `begin`. */
  async digest(): Promise<Digest> {
    return (this.#here ?? this.#running ?? new Hasher(this.#algorithm)).digest();
  }

  [Symbol.dispose](): void {
    this.#running?.[Symbol.dispose]();
  }
}
