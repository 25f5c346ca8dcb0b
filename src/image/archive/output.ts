import { open, realpath, rename, rm, stat, type FileHandle } from 'node:fs/promises';
import path from 'node:path';
import { RegistryError, systemCode } from '../../core/errors.ts';
import { spotFor, type Spot } from '../spot.ts';

/**
 * A file on its way: it grows beside its target and appears there at once. Disposed uncommitted it
 * leaves nothing.
 */
export class Output implements AsyncDisposable {
  readonly #handle: FileHandle;
  readonly #spot: Spot;
  readonly #target: string;
  readonly #writing = new Set<Promise<void>>();
  #open = true;

  private constructor(handle: FileHandle, spot: Spot, target: string) {
    this.#handle = handle;
    this.#spot = spot;
    this.#target = target;
  }

  /** @throws RegistryError STORAGE_UNAVAILABLE for a target that cannot be written, or is no file */
  static async open(name: string): Promise<Output> {
    try {
      const target = await targetOf(name);
      using stack = new DisposableStack();
      const spot = stack.use(await spotFor(path.dirname(target), path.basename(target)));
      const output = new Output(await open(spot.name, 'wx'), spot, target);
      stack.move();
      return output;
    } catch (cause) {
      throw unwritable(name, cause);
    }
  }

  /** Writes all of it at `position`, in any order and by any number of callers at once. */
  async write(bytes: Uint8Array, position: number): Promise<void> {
    if (!this.#open) throw new RegistryError('STORAGE_UNAVAILABLE', `${this.#target} was given up`);
    const writing = this.#write(bytes, position);
    this.#writing.add(writing);
    try {
      await writing;
    } catch (cause) {
      throw unwritable(this.#target, cause);
    } finally {
      this.#writing.delete(writing);
    }
  }

  /** @throws RegistryError STORAGE_UNAVAILABLE */
  async commit(): Promise<void> {
    try {
      await this.#handle.sync();
      await this.#close();
      await rename(this.#spot.name, this.#target);
      await syncFolder(path.dirname(this.#target));
    } catch (cause) {
      throw unwritable(this.#target, cause);
    }
  }

  /** Once committed there is nothing left to remove. */
  async [Symbol.asyncDispose](): Promise<void> {
    using _spot = this.#spot;
    await this.#close();
    await rm(this.#spot.name, { force: true });
  }

  async #close(): Promise<void> {
    if (!this.#open) return;
    this.#open = false;
    await Promise.allSettled(this.#writing);
    await this.#handle.close();
  }

  async #write(bytes: Uint8Array, position: number): Promise<void> {
    for (let done = 0; done < bytes.length;) {
      const left = bytes.length - done;
      done += (await this.#handle.write(bytes, done, left, position + done)).bytesWritten;
    }
  }
}

/** The name is safe from a loss of power once its folder is. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Node's error of a file or folder that could not be written, in words. */
export function unwritable(name: string, cause: unknown): RegistryError {
  if (cause instanceof RegistryError) return cause;
  const why = WHY[systemCode(cause) ?? ''] ?? String(cause);
  return new RegistryError('STORAGE_UNAVAILABLE', `cannot write ${name}: ${why}`, { cause });
}

const WHY: Readonly<Record<string, string>> = {
  ENOSPC: 'the disk is full',
  EDQUOT: 'the quota of the disk is used up',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EROFS: 'the file system is read-only',
  ENOENT: 'its folder does not exist',
  ENOTDIR: 'its folder is a file',
  EISDIR: 'it is a folder',
  EFBIG: 'it is larger than the file system allows',
};

/** Behind a symbolic link, the file that it leads to: the link stays. */
async function targetOf(name: string): Promise<string> {
  let target = path.resolve(name);
  try {
    target = await realpath(target);
    const found = await stat(target);
    if (found.isFile()) return target;
    const what = found.isDirectory() ? 'a folder' : 'no regular file';
    throw new RegistryError('STORAGE_UNAVAILABLE', `cannot write ${name}: it is ${what}`);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return target;
    throw error;
  }
}
