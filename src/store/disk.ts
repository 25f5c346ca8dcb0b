import { mkdir, open, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import type { Digest } from '../core/digest.ts';
import { RegistryError } from '../core/errors.ts';
import { spanOf } from '../core/range.ts';
import type { Blob } from '../core/source.ts';
import { Buffers } from './buffers.ts';
import { DiskIngest } from './disk-ingest.ts';
import type { Paths } from './paths.ts';
import { SharedFile } from './shared-file.ts';
import { absent } from './small-file.ts';
import type { ContentStore, DamageReason, Ingest, OpenOptions } from './store.ts';
import { iterate, pour } from './stream.ts';

export interface DiskStoreOptions {
  readonly paths: Paths;
  readonly buffers?: Buffers;
  /** Something could not be stored; clients are served all the same. */
  readonly onError?: (operation: string, error: Error) => void;
  readonly onDamage?: (digest: Digest, reason: DamageReason) => void;
}

/**
 * Content in the files of an OCI image layout: `blobs/<algorithm>/<hex>`, read-only, each appearing
 * by one rename. Makes the folders it needs.
 */
export async function diskStore(options: DiskStoreOptions): Promise<ContentStore> {
  const { paths } = options;
  for (const folder of [
    path.join(paths.blobs, 'sha256'),
    path.join(paths.blobs, 'sha512'),
    paths.ingests,
    paths.repositories,
  ]) {
    await mkdir(folder, { recursive: true });
  }
  return new DiskStore(options);
}

class DiskStore implements ContentStore {
  readonly #paths: Paths;
  readonly #buffers: Buffers;
  readonly #onError: (operation: string, error: Error) => void;
  readonly #onDamage: (digest: Digest, reason: DamageReason) => void;

  constructor(options: DiskStoreOptions) {
    this.#paths = options.paths;
    this.#buffers = options.buffers ?? new Buffers();
    this.#onError = options.onError ?? (() => {});
    this.#onDamage = options.onDamage ?? (() => {});
  }

  async open(digest: Digest, options: OpenOptions = {}): Promise<Blob | undefined> {
    const file = await openStored(this.#paths.blob(digest));
    if (file === undefined) return undefined;
    try {
      const { size } = await file.handle.stat();
      if (options.size !== undefined && options.size !== size) {
        await file.release();
        await this.setAside(digest, 'size');
        return undefined;
      }
      return this.#blob(file, size, options);
    } catch (error) {
      await file.release();
      throw error;
    }
  }

  async size(digest: Digest): Promise<number | undefined> {
    return (await absent(stat(this.#paths.blob(digest))))?.size;
  }

  async ingest(digest: Digest): Promise<Ingest> {
    return DiskIngest.open({
      digest,
      growing: this.#paths.ingest(digest),
      final: this.#paths.blob(digest),
      buffers: this.#buffers,
      onError: this.#onError,
    });
  }

  async setAside(digest: Digest, reason: DamageReason): Promise<void> {
    await mkdir(this.#paths.damaged, { recursive: true });
    const name = `${path.basename(this.#paths.ingest(digest))}-${Date.now()}`;
    const moved = rename(this.#paths.blob(digest), path.join(this.#paths.damaged, name));
    if ((await absent(moved.then(() => true))) === true) this.#onDamage(digest, reason);
  }

  async remove(digest: Digest): Promise<void> {
    await rm(this.#paths.blob(digest), { force: true });
  }

  #blob(file: SharedFile, size: number, { range }: OpenOptions): Blob {
    const span = spanOf(range, size);
    let open = true;
    return {
      size,
      span,
      body: iterate(file, span),
      pour: (write) => pour(file, span, this.#buffers, write),
      [Symbol.asyncDispose]: async () => {
        if (!open) return;
        open = false;
        await file.release();
      },
    };
  }
}

async function openStored(name: string): Promise<SharedFile | undefined> {
  try {
    const handle = await absent(open(name, 'r'));
    return handle && new SharedFile(handle);
  } catch (cause) {
    throw new RegistryError('STORAGE_UNAVAILABLE', `cannot open stored content: ${String(cause)}`, {
      cause,
    });
  }
}
