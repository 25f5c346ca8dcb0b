import { open } from 'node:fs/promises';
import { Hasher, type Algorithm } from '../core/digest.ts';
import { Batcher } from './batcher.ts';
import type { Buffers } from './buffers.ts';
import { onDisk } from './on-disk.ts';
import { SharedFile } from './shared-file.ts';
import { absent } from './small-file.ts';

/** How far bytes have been hashed. */
export interface Hashed {
  readonly hasher: Hasher;
  /** Bytes. */
  readonly length: number;
}

/**
 * The bytes of a push while they come in: one writer at a time, who disposes it. What has been
 * written when it is disposed stays, for the next one to go on.
 */
export class UploadFile implements AsyncDisposable {
  readonly name: string;
  readonly file: SharedFile;
  readonly #buffers: Buffers;
  #batcher: Batcher | undefined;
  #hashed: Hashed | undefined;
  #length: number;

  private constructor(name: string, file: SharedFile, length: number, buffers: Buffers) {
    this.name = name;
    this.file = file;
    this.#length = length;
    this.#buffers = buffers;
  }

  /** A new one, empty. @throws Error of Node, also if there is one */
  static async create(name: string, buffers: Buffers): Promise<UploadFile> {
    return new UploadFile(name, new SharedFile(await open(name, 'wx+', 0o600)), 0, buffers);
  }

  /** One that is there; `undefined` if it is not. */
  static async open(name: string, buffers: Buffers): Promise<UploadFile | undefined> {
    const handle = await absent(open(name, 'r+'));
    if (handle === undefined) return undefined;
    const file = new SharedFile(handle);
    try {
      return new UploadFile(name, file, (await handle.stat()).size, buffers);
    } catch (error) {
      await file.release();
      throw error;
    }
  }

  /** Bytes that are in the file for certain. */
  get length(): number {
    return this.#length;
  }

  /** The hash up to `length`; `undefined` when nobody has it at hand. */
  get hashed(): Hashed | undefined {
    return this.#hashed?.length === this.#length ? this.#hashed : undefined;
  }

  /** Goes on with a hash that an earlier writer left, or reads what is there to have one. */
  async hash(algorithm: Algorithm, earlier?: Hashed): Promise<Hashed> {
    const known = this.hashed ?? earlier;
    if (known?.length === this.#length && known.hasher.algorithm === algorithm) {
      return (this.#hashed = { hasher: known.hasher, length: known.length });
    }
    const hasher = new Hasher(algorithm);
    await this.file.hash(this.#length, hasher, this.#buffers);
    return (this.#hashed = { hasher, length: this.#length });
  }

  /**
   * Takes a chunk, which may be reused once the promise settles, or at once when there is none. After `hash`.
   * @throws RegistryError STORAGE_UNAVAILABLE for an earlier chunk; `length` tells what the file has
   */
  write(chunk: Uint8Array): Promise<void> | undefined {
    this.#batcher ??= new Batcher(this.#buffers, (block) => this.#keep(block));
    return this.#batcher.write(chunk);
  }

  /** Waits until the file has everything. @throws as `write` does */
  async flush(): Promise<void> {
    await this.#batcher?.flush();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#batcher?.close();
    await this.file.release();
  }

  async #keep(block: Uint8Array): Promise<void> {
    const hashed = this.hashed;
    const writing = this.file.write(block, this.#length);
    hashed?.hasher.update(block);
    try {
      await onDisk(() => writing);
    } catch (error) {
      // The hash has run ahead, and a part of the block may be in the file.
      this.#hashed = undefined;
      await this.file.handle.truncate(this.#length).catch(() => {});
      throw error;
    }
    this.#length += block.length;
    if (hashed !== undefined) this.#hashed = { hasher: hashed.hasher, length: this.#length };
  }
}
