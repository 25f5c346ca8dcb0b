import { open, type FileHandle } from 'node:fs/promises';
import type { Hasher } from '../core/digest.ts';
import { RegistryError, systemCode } from '../core/errors.ts';
import type { RunningHash } from '../core/running-hash.ts';
import type { Buffers } from './buffers.ts';
import { pour, type Reader } from './stream.ts';

/** One open file with several users; it is closed when the last one lets go. */
export class SharedFile implements Reader {
  readonly handle: FileHandle;
  readonly #use: Disposable | undefined;
  #users = 1;

  /** `use` is disposed when the file has been closed. */
  constructor(handle: FileHandle, use?: Disposable) {
    this.handle = handle;
    this.#use = use;
  }

  share(): this {
    this.#users += 1;
    return this;
  }

  async release(): Promise<void> {
    this.#users -= 1;
    if (this.#users > 0) return;
    try {
      await this.handle.close();
    } finally {
      this.#use?.[Symbol.dispose]();
    }
  }

  /** @throws RegistryError STORAGE_UNAVAILABLE where the file ends before `position` or cannot be read */
  async read(position: number, into: Buffer): Promise<Uint8Array> {
    let bytesRead: number;
    try {
      ({ bytesRead } = await this.handle.read(into, 0, into.length, position));
    } catch (cause) {
      throw new RegistryError(
        'STORAGE_UNAVAILABLE',
        `cannot read stored content: ${String(cause)}`,
        {
          cause,
        },
      );
    }
    if (bytesRead > 0) return into.subarray(0, bytesRead);
    throw new RegistryError(
      'STORAGE_UNAVAILABLE',
      `stored content ends at byte ${position}, too early`,
    );
  }

  /** Has a hash see the first `length` bytes. @throws as `read` does */
  async hash(length: number, hash: Hasher | RunningHash, buffers: Buffers): Promise<void> {
    const see = async (chunk: Uint8Array): Promise<void> => hash.update(chunk);
    await pour(this, { start: 0, end: length }, buffers, see);
  }

  /** Writes all of it at `position`, or throws Node's own error. */
  async write(bytes: Uint8Array, position: number): Promise<void> {
    for (let done = 0; done < bytes.length;) {
      const { bytesWritten } = await this.handle.write(
        bytes,
        done,
        bytes.length - done,
        position + done,
      );
      done += bytesWritten;
    }
  }
}

/** A file to go on writing, made if it is not there; `use` as with `SharedFile`. */
export async function openGrowing(name: string, use?: Disposable): Promise<SharedFile> {
  try {
    return new SharedFile(await open(name, 'r+'), use);
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw error;
    return new SharedFile(await open(name, 'w+'), use);
  }
}
