import { open, rm, stat } from 'node:fs/promises';
import { rmSync } from 'node:fs';
import path from 'node:path';
import type { FileHandle } from 'node:fs/promises';
import type { Digest } from '../../core/digest.ts';
import { asError, RegistryError } from '../../core/errors.ts';
import { spanOf } from '../../core/range.ts';
import { rewrap } from '../../core/rewrap.ts';
import type { Blob } from '../../core/source.ts';
import { Buffers } from '../../store/buffers.ts';
import { DiskIngest } from '../../store/disk-ingest.ts';
import { SharedFile } from '../../store/shared-file.ts';
import { absent } from '../../store/small-file.ts';
import type { Ingest, OpenOptions } from '../../store/store.ts';
import { streamed } from '../../store/streamed.ts';
import { CacheFolder } from './folder.ts';
import { becomeOwner, type Owner } from '../owner.ts';
import { Partials } from './partials.ts';
import { CacheRoom } from './room.ts';
import { verified } from './verified.ts';
import { makeFolder } from '../../store/make-folder.ts';

export type CacheEvent =
  /** Told once: what cannot be kept is passed on all the same. */
  | {
      readonly type: 'cache-unusable';
      readonly folder: string;
      readonly operation: string;
      readonly error: Error;
    }
  | { readonly type: 'cache-damaged'; readonly digest: Digest }
  /** Bytes. */
  | { readonly type: 'cache-trimmed'; readonly removed: number; readonly total: number };

export interface CacheOptions {
  /** Made if it is not there. */
  readonly folder: string;
  /** Bytes. More is there only until what is being written has been counted. */
  readonly maxSize: number;
  /** Bytes of the disk that are left to others: with fewer free nothing is kept. 256 MiB if left out. */
  readonly minFree?: number;
  readonly buffers?: Buffers;
  readonly observe?: (event: CacheEvent) => void;
}

/** Milliseconds. Whether something was used earlier or later than this does not matter. */
const USE_MATTERS = 60_000;

/** Bytes. */
const MIN_FREE = 256 * 1024 * 1024;

/**
 * Bytes. A blob has one reader here, as a rule, so nobody has to be waited for; and as many blobs come
 * at a time as there are connections.
 */
const WINDOW = 1024 * 1024;

/** What a process needs to write. */
interface Writing {
  readonly owner: Owner;
  readonly partials: Partials;
}

/**
 * Content by digest in a folder that many processes share. Everything enters by way of an `Ingest`,
 * which checks size and digest before one rename. No fault of the folder is an error of this: what
 * cannot be read is absent, what cannot be written passes through memory. Dispose it when nothing is
 * read from it any more.
 */
export class ContentCache implements AsyncDisposable {
  readonly #options: CacheOptions;
  readonly #folder: CacheFolder;
  readonly #buffers: Buffers;
  readonly #room: CacheRoom;
  #writing: Promise<Writing | undefined> | undefined;
  #warned = false;

  constructor(options: CacheOptions) {
    this.#options = options;
    this.#folder = new CacheFolder(options.folder);
    this.#buffers = options.buffers ?? new Buffers();
    this.#room = new CacheRoom({
      folder: this.#folder,
      maxSize: options.maxSize,
      minFree: options.minFree ?? MIN_FREE,
      tried: (operation, task) => this.#tried(operation, task),
      onFull: (error) => this.#unusable('claim', error),
      onTrimmed: (trimmed) => options.observe?.({ type: 'cache-trimmed', ...trimmed }),
    });
  }

  /**
   * `undefined` when absent, or of another size than is said. Read whole, it is checked on the way.
   * @throws RegistryError RANGE_INVALID; while reading, DIGEST_INVALID where the file was damaged
   */
  async open(
    digest: Digest,
    { range, size: expected }: OpenOptions = {},
  ): Promise<Blob | undefined> {
    const handle = await this.#tried('open', () => open(this.#folder.blob(digest), 'r'));
    if (handle === undefined) return undefined;
    const file = new SharedFile(handle);
    try {
      const { size, mtimeMs } = await handle.stat();
      if (expected !== undefined && expected !== size) {
        await file.release();
        await this.discard(digest);
        return undefined;
      }
      await touch(handle, mtimeMs);
      const span = spanOf(range, size);
      const release = (): Promise<void> => file.release();
      const blob = streamed({ size, span, reader: file, buffers: this.#buffers, release });
      const local = rewrap(blob, { local: span.end - span.start });
      const whole = local.local === size;
      return whole ? verified(local, digest, () => this.discard(digest)) : local;
    } catch (error) {
      await file.release();
      throw error;
    }
  }

  /** Bytes held under the digest; `undefined` when absent. */
  async size(digest: Digest): Promise<number | undefined> {
    const found = await this.#tried('look', () => stat(this.#folder.blob(digest)));
    return found?.size;
  }

  /** Takes content in, going on with what an attempt that ended left, of this process or of another. */
  async ingest(digest: Digest): Promise<Ingest> {
    const writing = await this.#write();
    const growing = await this.#claim(writing, digest);
    let useless = false;
    return DiskIngest.open({
      digest,
      growing,
      final: this.#folder.blob(digest),
      leftover: 'resumable',
      window: WINDOW,
      buffers: this.#buffers,
      claim: (size) => this.#room.claim(size),
      use: { [Symbol.dispose]() {} },
      onError: (operation, error) => {
        // What filled the disk does not stay there.
        useless = true;
        this.#unusable(operation, error);
      },
      onStored: (size) => this.#room.stored(size),
      onCommitted: () => {},
      onClosed: () => {
        writing?.partials.release(growing);
        if (useless) removeQuietly(growing);
      },
    });
  }

  /** Removes content that turned out to be wrong. */
  async discard(digest: Digest): Promise<void> {
    await this.#tried('remove', () => rm(this.#folder.blob(digest), { force: true }));
    this.#options.observe?.({ type: 'cache-damaged', digest });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#room.settled();
    const writing = await this.#writing;
    writing?.owner[Symbol.dispose]();
    this.#writing = undefined;
  }

  /** Where nothing can be written the name leads nowhere, and the ingest learns that by itself. */
  async #claim(writing: Writing | undefined, digest: Digest): Promise<string> {
    const nowhere = path.join(this.#folder.partials, 'unusable', 'partial');
    if (writing === undefined) return nowhere;
    return (await this.#tried('claim', () => writing.partials.claim(digest))) ?? nowhere;
  }

  #write(): Promise<Writing | undefined> {
    this.#writing ??= this.#tried('prepare', () => this.#prepare());
    return this.#writing;
  }

  async #prepare(): Promise<Writing> {
    const { blobs, partials, owners } = this.#folder;
    try {
      for (const folder of [...blobs, partials, owners]) await makeFolder(folder);
      const owner = becomeOwner(this.#folder);
      return { owner, partials: new Partials(this.#folder, owner.id) };
    } catch (cause) {
      throw new RegistryError('STORAGE_UNAVAILABLE', 'it cannot be written', { cause });
    }
  }

  /** What the task gives, or `undefined` where it fails: a cache that does not work is none. */
  async #tried<T>(operation: string, task: () => Promise<T>): Promise<T | undefined> {
    try {
      return await absent(task());
    } catch (error) {
      this.#unusable(operation, asError(error));
      return undefined;
    }
  }

  #unusable(operation: string, error: Error): void {
    if (this.#warned) return;
    this.#warned = true;
    const { folder, observe } = this.#options;
    observe?.({ type: 'cache-unusable', folder, operation, error });
  }
}

function removeQuietly(name: string): void {
  try {
    rmSync(name, { force: true });
  } catch {
    // The folder is as unusable as it was: `trim` meets the file again.
  }
}

/** Notes the use, for `trim`. A folder that cannot be written may be read all the same. */
async function touch(handle: FileHandle, used: number): Promise<void> {
  const now = Date.now();
  if (now - used < USE_MATTERS) return;
  await handle.utimes(now / 1000, now / 1000).catch(() => {});
}
