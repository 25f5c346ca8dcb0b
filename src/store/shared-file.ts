import { open, type FileHandle } from 'node:fs/promises';
import type { Hasher } from '../core/digest.ts';
import { RegistryError, systemCode } from '../core/errors.ts';
import type { Buffers } from './buffers.ts';
import type { Reader } from './stream.ts';

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

  /** Has the hasher see the first `length` bytes. @throws as `read` does */
  async hash(length: number, hasher: Hasher, buffers: Buffers): Promise<void> {
    using lease = buffers.lend(length);
    for (let position = 0; position < length;) {
      const wanted = Math.min(lease.bytes.length, length - position);
      const chunk = await this.read(position, lease.bytes.subarray(0, wanted));
      hasher.update(chunk);
      position += chunk.length;
    }
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
