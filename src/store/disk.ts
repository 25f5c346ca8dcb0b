import { open, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import type { Digest } from '../core/digest.ts';
import { RegistryError } from '../core/errors.ts';
import { spanOf } from '../core/range.ts';
import { moveAside, sameFile } from './aside.ts';
import { boundless, type Room } from './budget/room.ts';
import { Uses } from './budget/uses.ts';
import { Buffers } from './buffers.ts';
import { DiskIngest } from './disk-ingest.ts';
import type { Paths } from './paths.ts';
import { SharedFile } from './shared-file.ts';
import { absent } from './small-file.ts';
import type {
  ContentStore,
  DamageReason,
  Ingest,
  IntakeStore,
  OpenOptions,
  StoredBlob,
} from './store.ts';
import { streamed } from './streamed.ts';
import { makeFolder } from './make-folder.ts';

export interface DiskStoreOptions {
  readonly paths: Paths;
  readonly buffers?: Buffers;
  /** Sets room aside for what is stored; left out, there is no limit. */
  readonly room?: Room;
  /** Is told who uses what; left out, nobody else wants to know. */
  readonly uses?: Uses;
  /** Something could not be stored; clients are served all the same. */
  readonly onError?: (operation: string, error: Error) => void;
  readonly onDamage?: (digest: Digest, reason: DamageReason) => void;
  /** Content has become visible, or is so no more. Bytes. */
  readonly onStored?: (digest: Digest, size: number) => void;
  /** Seconds that a commit took, mostly for the disk to have it. */
  readonly onCommitted?: (seconds: number) => void;
  readonly onRemoved?: (digest: Digest, size: number) => void;
}

/**
 * Content in the files of an OCI image layout: `blobs/<algorithm>/<hex>`, read-only, each appearing
 * by one rename. Makes the folders it needs.
 */
export async function diskStore(options: DiskStoreOptions): Promise<IntakeStore> {
  const { paths } = options;
  for (const folder of [
    path.join(paths.blobs, 'sha256'),
    path.join(paths.blobs, 'sha512'),
    paths.ingests,
    paths.repositories,
  ]) {
    await makeFolder(folder);
  }
  return new DiskStore(options);
}

/**
 * A store that is there already, for those who only look after what is in it: makes no folders.
 * `undefined` where there is none.
 */
export async function existingStore(options: DiskStoreOptions): Promise<ContentStore | undefined> {
  const found = await absent(stat(options.paths.blobs));
  return found?.isDirectory() === true ? new DiskStore(options) : undefined;
}

class DiskStore implements IntakeStore {
  readonly #options: DiskStoreOptions;
  readonly #paths: Paths;
  readonly #buffers: Buffers;
  readonly #uses: Uses;
  readonly #ingesting = new Set<Digest>();
  #others = 0;

  constructor(options: DiskStoreOptions) {
    this.#options = options;
    this.#paths = options.paths;
    this.#buffers = options.buffers ?? new Buffers();
    this.#uses = options.uses ?? new Uses();
  }

  async open(digest: Digest, options: OpenOptions = {}): Promise<StoredBlob | undefined> {
    const file = await this.#openFile(digest);
    if (file === undefined) return undefined;
    try {
      const { size } = await file.handle.stat();
      if (options.size !== undefined && options.size !== size) {
        await this.#setAside(digest, file, 'size');
        await file.release();
        return undefined;
      }
      return this.#blob(digest, file, size, options);
    } catch (error) {
      await file.release();
      throw error;
    }
  }

  async size(digest: Digest): Promise<number | undefined> {
    // What is being removed would be believed to be here by somebody who is about to link it.
    await this.#uses.removal(digest);
    return this.#sizeNow(digest);
  }

  ingest(digest: Digest): Promise<Ingest> {
    // Two writers of one file could undo what one of them has verified: the second gets a file of its own.
    if (this.#ingesting.has(digest)) return this.ingestApart(digest);
    this.#ingesting.add(digest);
    return this.#ingest(digest, this.#paths.ingest(digest), 'resumable', this.#options.room, () =>
      this.#ingesting.delete(digest),
    );
  }

  ingestApart(digest: Digest, room = this.#options.room): Promise<Ingest> {
    this.#others += 1;
    const name = `${this.#paths.ingest(digest)}.${this.#others}`;
    return this.#ingest(digest, name, 'removed', room, () => {});
  }

  async remove(digest: Digest): Promise<void> {
    const size = await this.#sizeNow(digest);
    if (size === undefined) return;
    const gone = await absent(rm(this.#paths.blob(digest)).then(() => true));
    if (gone === true) this.#options.onRemoved?.(digest, size);
  }

  async #sizeNow(digest: Digest): Promise<number | undefined> {
    return (await absent(stat(this.#paths.blob(digest))))?.size;
  }

  async #ingest(
    digest: Digest,
    growing: string,
    leftover: 'resumable' | 'removed',
    room: Room = boundless,
    onClosed: () => void,
  ): Promise<Ingest> {
    const use = this.#uses.begin(digest);
    await this.#uses.removal(digest);
    return DiskIngest.open({
      digest,
      growing,
      final: this.#paths.blob(digest),
      leftover,
      use,
      claim: (size) => room.claim(digest, size, leftover),
      buffers: this.#buffers,
      onError: (operation, error) => this.#options.onError?.(operation, error),
      onStored: (size) => this.#options.onStored?.(digest, size),
      onCommitted: (seconds) => this.#options.onCommitted?.(seconds),
      onClosed,
    });
  }

  /** The file is open still, so no other can have its number. */
  async #setAside(digest: Digest, file: SharedFile, reason: DamageReason): Promise<boolean> {
    const seen = await file.handle.stat({ bigint: true });
    const name = `${path.basename(this.#paths.ingest(digest))}-${Date.now()}`;
    const gone = await moveAside({
      from: this.#paths.blob(digest),
      to: path.join(this.#paths.damaged, name),
      isIt: sameFile(seen),
    });
    if (!gone) return false;
    this.#options.onRemoved?.(digest, Number(seen.size));
    this.#options.onDamage?.(digest, reason);
    return true;
  }

  /** The use begins before anything is waited for: from here on the content stays. */
  async #openFile(digest: Digest): Promise<SharedFile | undefined> {
    const use = this.#uses.begin(digest);
    let file: SharedFile | undefined;
    try {
      await this.#uses.removal(digest);
      file = await openStored(this.#paths.blob(digest), use);
      return file;
    } finally {
      if (file === undefined) use[Symbol.dispose]();
    }
  }

  #blob(digest: Digest, file: SharedFile, size: number, { range }: OpenOptions): StoredBlob {
    const span = spanOf(range, size);
    const blob = streamed({
      size,
      span,
      reader: file,
      buffers: this.#buffers,
      release: () => file.release(),
    });
    return { ...blob, setAside: (reason) => this.#setAside(digest, file, reason) };
  }
}

async function openStored(name: string, use: Disposable): Promise<SharedFile | undefined> {
  try {
    const handle = await absent(open(name, 'r'));
    return handle && new SharedFile(handle, use);
  } catch (cause) {
    throw new RegistryError('STORAGE_UNAVAILABLE', `cannot open stored content: ${String(cause)}`, {
      cause,
    });
  }
}
