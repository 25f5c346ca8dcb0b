import { open, type FileHandle } from 'node:fs/promises';
import { RegistryError, systemCode } from '../../core/errors.ts';
import { draftOf, type Draft, type DraftOptions } from './draft.ts';
import { STDOUT, targetOf } from './target.ts';

/**
 * A file on its way: it grows elsewhere and appears under its name at once, or goes into the pipe of
 * that name. Disposed uncommitted it leaves nothing.
 */
export class Output implements AsyncDisposable {
  readonly #handle: FileHandle;
  readonly #draft: Draft;
  readonly #name: string;
  readonly #writing = new Set<Promise<void>>();
  #open = true;

  private constructor(draft: Draft, name: string) {
    this.#handle = draft.handle;
    this.#draft = draft;
    this.#name = name;
  }

  /**
   * @param name `-` is standard output where `stdout` is said, and a file otherwise
   * @throws RegistryError STORAGE_UNAVAILABLE for a target that cannot be written
   */
  static async open(name: string, options: DraftOptions = {}): Promise<Output> {
    try {
      const standard = name === '-' && options.stdout !== undefined;
      const target = standard ? STDOUT : await targetOf(name);
      return new Output(await draftOf(target, options), name);
    } catch (cause) {
      throw unwritable(name, cause);
    }
  }

  /** Writes all of it at `position`, in any order and by any number of callers at once. */
  async write(bytes: Uint8Array, position: number): Promise<void> {
    if (!this.#open) throw new RegistryError('STORAGE_UNAVAILABLE', `${this.#name} was given up`);
    const writing = this.#write(bytes, position);
    this.#writing.add(writing);
    try {
      await writing;
    } catch (cause) {
      throw unwritable(this.#draft.name, cause);
    } finally {
      this.#writing.delete(writing);
    }
  }

  /** @throws RegistryError STORAGE_UNAVAILABLE */
  async commit(): Promise<void> {
    try {
      await this.#end();
      await this.#draft.publish();
    } catch (cause) {
      throw unwritable(this.#name, cause);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#end();
    await this.#draft[Symbol.asyncDispose]();
  }

  async #end(): Promise<void> {
    this.#open = false;
    await Promise.allSettled(this.#writing);
  }

  async #write(bytes: Uint8Array, position: number): Promise<void> {
    for (let done = 0; done < bytes.length;) {
      const left = bytes.length - done;
      done += (await this.#handle.write(bytes, done, left, position + done)).bytesWritten;
    }
    this.#draft.wrote(bytes.length);
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
  const code = systemCode(cause);
  const why = code === undefined ? String(cause) : (WHY[code] ?? code);
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
  EPIPE: 'nobody reads it any more',
  EFBIG: 'it is larger than the file system allows',
  ENAMETOOLONG: 'a name is too long for the file system',
};
