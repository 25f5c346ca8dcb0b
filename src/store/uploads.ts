import { opendir, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import type { Digest } from '../core/digest.ts';
import { RegistryError, systemCode } from '../core/errors.ts';
import { boundlessUploads, type UploadRoom } from './budget/room.ts';
import { Buffers } from './buffers.ts';
import type { Paths } from './paths.ts';
import { publishDurably } from './publish.ts';
import { absent } from './small-file.ts';
import { UploadFile, type UploadFileOptions } from './upload-file.ts';
import { makeFolder } from './make-folder.ts';

export interface UploadStoreOptions {
  readonly paths: Paths;
  readonly buffers?: Buffers;
  /** Accounts for the bytes; left out, there is no limit. */
  readonly room?: UploadRoom;
  /** Content has become visible that was not; bytes. */
  readonly onStored?: (digest: Digest, size: number) => void;
  /** Seconds that a commit took. */
  readonly onCommitted?: (seconds: number) => void;
}

/** An upload as it lies on the disk. Milliseconds since 1970. */
export interface StoredUpload {
  readonly name: string;
  readonly modifiedAt: number;
  /** Bytes. */
  readonly size: number;
}

/** Pushes in progress, each a file under a name that its owner makes up. */
export class UploadStore {
  readonly #options: UploadStoreOptions;
  readonly #buffers: Buffers;
  readonly #room: UploadRoom;
  /** Files that somebody writes to. */
  readonly #open = new Set<string>();

  constructor(options: UploadStoreOptions) {
    this.#options = options;
    this.#buffers = options.buffers ?? new Buffers();
    this.#room = options.room ?? boundlessUploads;
  }

  /** @throws Error of Node, also if there is one of that name */
  async create(name: string): Promise<UploadFile> {
    const created = await this.#create(name);
    this.#open.add(name);
    return created;
  }

  async open(name: string): Promise<UploadFile | undefined> {
    const found = await UploadFile.open(this.#file(name), this.#optionsOf(name));
    if (found !== undefined) this.#open.add(name);
    return found;
  }

  /** Whether somebody has the file open to write to it: however old it is, it is not left over. */
  isOpen(name: string): boolean {
    return this.#open.has(name);
  }

  /** `undefined` if there is no such upload. */
  async stat(name: string): Promise<StoredUpload | undefined> {
    const found = await absent(stat(this.#file(name)));
    return found && { name, modifiedAt: found.mtimeMs, size: found.size };
  }

  /** Whether there was one. */
  async remove(name: string): Promise<boolean> {
    const gone = (await absent(rm(this.#file(name)).then(() => true))) ?? false;
    if (gone) this.#room.rest(name, 0);
    return gone;
  }

  /**
   * Makes what has been written content, whose hash is known to the end; settles when the disk has
   * it for certain. In place of earlier content of that digest, which may be damaged by now.
   * @throws RegistryError DIGEST_INVALID for bytes of another digest, or Error of Node
   */
  async publish(upload: UploadFile, digest: Digest): Promise<void> {
    const started = performance.now();
    const actual = upload.hashed?.hasher.digest();
    if (actual !== digest) {
      throw new RegistryError('DIGEST_INVALID', `what came is ${actual}, not ${digest}`);
    }
    const final = this.#options.paths.blob(digest);
    const before = await absent(stat(final));
    await publishDurably({ file: upload.file, growing: upload.name, final });
    this.#options.onCommitted?.((performance.now() - started) / 1000);
    this.#room.rest(path.basename(upload.name), 0);
    if (before === undefined) this.#options.onStored?.(digest, upload.length);
  }

  /** All there are, in no order. */
  async *list(): AsyncGenerator<StoredUpload> {
    for await (const { name } of (await absent(opendir(this.#options.paths.uploads))) ?? []) {
      const found = await this.stat(name);
      if (found !== undefined) yield found;
    }
  }

  async #create(name: string): Promise<UploadFile> {
    const file = this.#file(name);
    try {
      return await UploadFile.create(file, this.#optionsOf(name));
    } catch (error) {
      if (systemCode(error) !== 'ENOENT') throw error;
      await makeFolder(this.#options.paths.uploads);
      return UploadFile.create(file, this.#optionsOf(name));
    }
  }

  #optionsOf(name: string): UploadFileOptions {
    const room = this.#room;
    return {
      buffers: this.#buffers,
      room: {
        grow: (need, want) => room.grow(name, need, want),
        admit: (size) => room.admit(name, size),
        rest: async () => {
          this.#open.delete(name);
          room.rest(name, (await this.stat(name))?.size ?? 0);
        },
      },
    };
  }

  #file(name: string): string {
    return path.join(this.#options.paths.uploads, name);
  }
}
