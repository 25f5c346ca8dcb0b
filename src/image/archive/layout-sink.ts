import { mkdir, open, readdir, rename, rm, stat, type FileHandle } from 'node:fs/promises';
import path from 'node:path';
import type { Descriptor } from '../../core/descriptor.ts';
import { algorithmOf, type Digest } from '../../core/digest.ts';
import { RegistryError, systemCode } from '../../core/errors.ts';
import { SingleFlight } from '../../core/single-flight.ts';
import type { Content, PlaceOptions, Sink } from '../../core/sink.ts';
import { Buffers } from '../../store/buffers.ts';
import { spotFor, sweep, type Spot } from '../spot.ts';
import { hashOf } from './content.ts';
import { openFile } from './folder-files.ts';
import { indexWith, LAYOUT_MARKER } from './index-json.ts';
import { addToIndex, writeSafely } from './layout-index.ts';
import { blobPath } from './oci-layout.ts';
import { syncFolder, unwritable } from './output.ts';
import { Received } from './received.ts';
import { take } from './take.ts';
import { makeFolder } from '../../store/make-folder.ts';

/**
 * An OCI image layout in a folder, a new one or one that is added to. Everything waits in a folder of
 * its own until `commit`; others may add to the same layout meanwhile.
 */
export class LayoutSink implements Sink, AsyncDisposable {
  readonly #folder: string;
  readonly #spot: Spot;
  readonly #staging: string;
  readonly #signal: AbortSignal | undefined;
  readonly #received = new Received();
  readonly #written = new Set<Digest>();
  readonly #halves = new Set<Digest>();
  readonly #writing = new SingleFlight<'present' | 'written'>();
  readonly #running = new Set<Promise<unknown>>();
  readonly #buffers = new Buffers();
  #open = true;

  private constructor(folder: string, spot: Spot, signal: AbortSignal | undefined) {
    this.#folder = folder;
    this.#spot = spot;
    this.#staging = spot.name;
    this.#signal = signal;
  }

  /** @throws RegistryError STORAGE_UNAVAILABLE */
  static async open(name: string, signal?: AbortSignal): Promise<LayoutSink> {
    const folder = path.resolve(name);
    try {
      // Within a layout that is there: it may be on a file system of its own.
      const known = await isFolder(folder);
      // Who was killed before there was a layout has left something beside it.
      if (known) await sweep(path.dirname(folder), path.basename(folder));
      const beside = known ? folder : path.dirname(folder);
      using stack = new DisposableStack();
      const spot = stack.use(await spotFor(beside, path.basename(folder)));
      await mkdir(spot.name);
      stack.move();
      return new LayoutSink(folder, spot, signal);
    } catch (cause) {
      throw unwritable(name, cause);
    }
  }

  async blob(
    _repository: unknown,
    descriptor: Descriptor,
    content: Content,
    { progress }: PlaceOptions = {},
  ): Promise<'present' | 'written'> {
    const { digest } = descriptor;
    while (this.#writing.has(digest)) {
      // Whoever writes it may fail where this content does not.
      await this.#writing.run(digest, async () => 'present').catch(() => {});
    }
    if (this.#written.has(digest)) return 'present';
    return this.#writing.run(digest, () => this.#place(descriptor, content, progress));
  }

  async manifest(...[repository, at, manifest]: Parameters<Sink['manifest']>): Promise<void> {
    this.#received.add(repository, at, manifest, (digest) => this.#written.has(digest));
  }

  /** @throws RegistryError STORAGE_UNAVAILABLE; nothing new is listed then */
  async commit(): Promise<void> {
    try {
      await this.#dropHalves();
      for (const { bytes, descriptor } of this.#received.all) {
        const name = await this.#staged(descriptor.digest);
        await rm(name, { force: true });
        await writeSafely(name, bytes);
      }
      if (!(await this.#appear())) await this.#join();
      this.#open = false;
    } catch (cause) {
      throw unwritable(this.#folder, cause);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    using _spot = this.#spot;
    this.#open = false;
    await Promise.allSettled(this.#running);
    await rm(this.#staging, { recursive: true, force: true });
  }

  async #place(
    descriptor: Descriptor,
    content: Content,
    progress: PlaceOptions['progress'],
  ): Promise<'present' | 'written'> {
    const { digest } = descriptor;
    if (await this.#holds(descriptor)) {
      this.#written.add(digest);
      return 'present';
    }
    this.#halves.add(digest);
    const handle = await this.#touch(async () => open(await this.#staged(digest), 'w'));
    try {
      const write = (bytes: Uint8Array, position: number): Promise<void> =>
        this.#touch(() => writeAt(handle, bytes, position));
      await take(descriptor, content, write, { progress, signal: this.#signal });
      await this.#touch(() => handle.sync());
    } finally {
      await handle.close();
    }
    this.#halves.delete(digest);
    this.#written.add(digest);
    return 'written';
  }

  async #staged(digest: Digest): Promise<string> {
    const name = path.join(this.#staging, blobPath(digest));
    await makeFolder(path.dirname(name));
    return name;
  }

  /** Does something in the staging folder, which disposal waits for and nothing comes after. */
  async #touch<T>(work: () => Promise<T>): Promise<T> {
    if (!this.#open) {
      throw new RegistryError('STORAGE_UNAVAILABLE', `${this.#folder} was given up`);
    }
    const running = work();
    this.#running.add(running);
    try {
      return await running;
    } catch (cause) {
      throw unwritable(this.#folder, cause);
    } finally {
      this.#running.delete(running);
    }
  }

  /** Whether the layout has the content already, which is read: another program may have left half of it. */
  async #holds({ digest, size }: Descriptor): Promise<boolean> {
    const content = await openFile(path.join(this.#folder, blobPath(digest)));
    if (content === undefined) return false;
    await using open = content;
    if (open.size !== size) return false;
    return (await hashOf(open, this.#buffers, algorithmOf(digest))) === digest;
  }

  /** Makes a new layout appear whole; `false` where there is one by now. */
  async #appear(): Promise<boolean> {
    if (path.dirname(this.#staging) === this.#folder) return false;
    await writeSafely(path.join(this.#staging, 'oci-layout'), LAYOUT_MARKER);
    const index = indexWith(undefined, this.#received.images);
    await writeSafely(path.join(this.#staging, 'index.json'), index);
    await this.#syncStaging();
    try {
      await rename(this.#staging, this.#folder);
    } catch (error) {
      const code = systemCode(error);
      if (code === 'ENOTEMPTY' || code === 'EEXIST') return false;
      throw error;
    }
    await syncFolder(path.dirname(this.#folder));
    return true;
  }

  /** Content first, then what lists it: a reader never finds a name without its content. */
  async #join(): Promise<void> {
    for (const algorithm of await this.#algorithms()) {
      const from = path.join(this.#staging, 'blobs', algorithm);
      const names = await readdir(from);
      const to = path.join(this.#folder, 'blobs', algorithm);
      await makeFolder(to);
      for (const name of names) await rename(path.join(from, name), path.join(to, name));
      await syncFolder(to);
    }
    await addToIndex(this.#folder, this.#received.images);
  }

  /** What was begun and failed, and was not tried again. */
  async #dropHalves(): Promise<void> {
    for (const digest of this.#halves)
      await rm(path.join(this.#staging, blobPath(digest)), { force: true });
  }

  async #syncStaging(): Promise<void> {
    const blobs = (await this.#algorithms()).map((algorithm) => path.join('blobs', algorithm));
    for (const name of [...blobs, 'blobs', '.']) await syncFolder(path.join(this.#staging, name));
  }

  /** The folders of content that are there. */
  async #algorithms(): Promise<readonly string[]> {
    const blobs = path.join(this.#staging, 'blobs');
    await makeFolder(blobs);
    return readdir(blobs);
  }
}

async function writeAt(handle: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    const left = bytes.length - done;
    done += (await handle.write(bytes, done, left, position + done)).bytesWritten;
  }
}

async function isFolder(name: string): Promise<boolean> {
  try {
    if ((await stat(name)).isDirectory()) return true;
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return false;
    throw error;
  }
  throw new RegistryError('STORAGE_UNAVAILABLE', `cannot write ${name}: it is no folder`);
}
