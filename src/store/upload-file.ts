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

export interface UploadFileOptions {
  readonly buffers: Buffers;
  readonly room: FileRoom;
}

/** Where the bytes of one upload are accounted for; see `UploadRoom`. */
export interface FileRoom {
  grow(need: number, want: number): Promise<number>;
  admit(size: number): void;
  /** Nobody writes any more, and the file is closed. */
  rest(): Promise<void>;
}

/** Bytes that room is made for ahead of those that have come: few requests, and little kept from others. */
const LARGEST_STEP = 16 * 1024 * 1024;

/**
 * The bytes of a push while they come in: one writer at a time, who disposes it. What has been
 * written when it is disposed stays, for the next one to go on.
 */
export class UploadFile implements AsyncDisposable {
  readonly name: string;
  readonly file: SharedFile;
  readonly #buffers: Buffers;
  readonly #room: FileRoom;
  #batcher: Batcher | undefined;
  #hashed: Hashed | undefined;
  #length: number;
  /** Bytes up to which there is room. */
  #reserved: number;

  private constructor(
    name: string,
    file: SharedFile,
    length: number,
    { buffers, room }: UploadFileOptions,
  ) {
    this.name = name;
    this.file = file;
    this.#length = length;
    this.#reserved = length;
    this.#buffers = buffers;
    this.#room = room;
  }

  /** A new one, empty. @throws Error of Node, also if there is one */
  static async create(name: string, options: UploadFileOptions): Promise<UploadFile> {
    return new UploadFile(name, new SharedFile(await open(name, 'wx+', 0o600)), 0, options);
  }

  /** One that is there; `undefined` if it is not. */
  static async open(name: string, options: UploadFileOptions): Promise<UploadFile | undefined> {
    const handle = await absent(open(name, 'r+'));
    if (handle === undefined) return undefined;
    const file = new SharedFile(handle);
    try {
      return new UploadFile(name, file, (await handle.stat()).size, options);
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

  /** Whether there could be room for so many bytes in all. @throws RegistryError STORAGE_UNAVAILABLE */
  admit(size: number): void {
    this.#room.admit(size);
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
    await this.#room.rest();
  }

  async #keep(block: Uint8Array): Promise<void> {
    const need = this.#length + block.length;
    if (need > this.#reserved) {
      this.#reserved = await this.#room.grow(need, need + Math.min(need, LARGEST_STEP));
    }
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
