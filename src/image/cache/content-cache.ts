import { open, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import type { Digest } from '../../core/digest.ts';
import { asError, RegistryError } from '../../core/errors.ts';
import { spanOf } from '../../core/range.ts';
import { rewrap } from '../../core/rewrap.ts';
import type { Repository } from '../../core/reference.ts';
import type { Blob } from '../../core/source.ts';
import { Buffers } from '../../store/buffers.ts';
import { DiskIngest } from '../../store/disk-ingest.ts';
import { SharedFile } from '../../store/shared-file.ts';
import { absent } from '../../store/small-file.ts';
import type { Ingest, OpenOptions } from '../../store/store.ts';
import { streamed } from '../../store/streamed.ts';
import type { CacheOptions } from './cache-options.ts';
import type { Claimed, Claiming } from './claimed.ts';
import { CacheFolder, ownerOf } from './folder.ts';
import { becomeOwner, isGone, type Owner } from '../owner.ts';
import { neighbour, type Neighbour } from './neighbour.ts';
import { copyGrowing, removeEmpty, removeQuietly } from './partial-file.ts';
import { Partials } from './partials.ts';
import { CacheRoom } from './room.ts';
import { Turn } from './turn.ts';
import { touch } from './use.ts';
import { verified } from './verified.ts';
import { makeFolder } from '../../store/make-folder.ts';

/** Milliseconds. */
const PATIENCE = 5000;

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
  readonly turn: Turn;
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
      return whole ? verified(local, digest, () => this.#damaged(digest)) : local;
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

  /**
   * Takes content in, going on with what an attempt that ended left, of this process or of another,
   * from the same repository. No other process waits for it.
   */
  async ingest(repository: Repository, digest: Digest): Promise<Ingest> {
    const writing = await this.#write();
    const growing = await this.#tried('claim', async () =>
      writing?.partials.apart(repository, digest),
    );
    return this.#ingest(digest, writing, growing);
  }

  /**
   * Settles with other processes who fetches the digest to its end: nobody, where it could not be kept.
   */
  async claim(digest: Digest, { onCopied, size, ...options }: Claiming): Promise<Claimed> {
    const writing = await this.#write();
    const claim = await this.#tried('claim', async () => {
      const fits = size === undefined || (await this.#room.fits(size));
      return writing?.partials.claim(digest, { ...options, room: fits ? 'enough' : 'none' });
    });
    switch (claim?.kind) {
      case undefined:
        return { kind: 'nobody' };
      case 'there':
      case 'nobody':
        return { kind: claim.kind };
      case 'theirs': {
        const followed = await this.#tried('follow', () => this.#neighbour(claim.name));
        return followed === undefined ? { kind: 'there' } : { kind: 'theirs', neighbour: followed };
      }
      case 'mine': {
        const { name, copied } = claim;
        if (copied !== undefined) {
          await this.#tried('copy', () => copyGrowing(copied, name));
          onCopied(copied);
        }
        return { kind: 'mine', ingest: await this.#ingest(digest, writing, name) };
      }
    }
  }

  /** Removes content that turned out to be wrong. */
  async discard(digest: Digest): Promise<void> {
    await this.#tried('remove', () => rm(this.#folder.blob(digest), { force: true }));
    this.#options.observe?.({ type: 'cache-damaged', digest });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#room.settled();
    const writing = await this.#writing;
    writing?.turn[Symbol.dispose]();
    writing?.owner[Symbol.dispose]();
    this.#writing = undefined;
  }

  async #damaged(digest: Digest): Promise<RegistryError> {
    await this.discard(digest);
    const message = `the copy of ${digest} in the cache was damaged; it has been removed`;
    return new RegistryError('DIGEST_INVALID', message);
  }

  #neighbour(name: string): Promise<Neighbour | undefined> {
    const { patience = PATIENCE } = this.#options;
    const gone = (): boolean => isGone(this.#folder, ownerOf(name));
    return neighbour({ name, gone, patience, buffers: this.#buffers });
  }

  /** Where nothing can be written the name leads nowhere, and the ingest learns that by itself. */
  #ingest(
    digest: Digest,
    writing: Writing | undefined,
    growing = path.join(this.#folder.partials, 'unusable', 'partial'),
  ): Promise<Ingest> {
    return DiskIngest.open({
      digest,
      growing,
      final: this.#folder.blob(digest),
      leftover: 'resumable',
      // A client is one of many programs on a machine: its memory is what counts.
      hashing: 'here',
      window: WINDOW,
      buffers: this.#buffers,
      claim: async (size) => {
        const claim = await this.#room.claim(size);
        // Nobody is to follow what does not even begin to grow.
        if (claim === undefined) await this.#tried('remove', () => removeEmpty(growing));
        return claim;
      },
      use: { [Symbol.dispose]() {} },
      onError: (operation, error) => {
        // What filled the disk does not stay there, and who follows it learns at once that it ends.
        removeQuietly(growing);
        this.#unusable(operation, error);
      },
      onStored: (size) => this.#room.stored(size),
      onCommitted: () => {},
      onClosed: () => writing?.partials.release(growing),
    });
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
      const turn = new Turn(this.#folder.turn);
      return { owner, turn, partials: new Partials(this.#folder, owner.id, turn) };
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
