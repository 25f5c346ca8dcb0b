import { rm } from 'node:fs/promises';
import { asError, RegistryError } from '../core/errors.ts';
import { spanOf, type Range } from '../core/range.ts';
import type { Blob } from '../core/source.ts';
import { Batcher } from './batcher.ts';
import type { Claim } from './budget/room.ts';
import type { DiskIngestOptions } from './disk-ingest-options.ts';
import { Growth } from './growth.ts';
import { IngestHash } from './ingest-hash.ts';
import { publish } from './publish.ts';
import { openGrowing, type SharedFile } from './shared-file.ts';
import type { Ingest } from './store.ts';
import { streamed } from './streamed.ts';
import { Window, type Follower } from './window.ts';

/** Content that grows in a file, or, where the file cannot take it, in a window of memory. */
export class DiskIngest implements Ingest {
  readonly #options: DiskIngestOptions;
  readonly #file: SharedFile | undefined;
  readonly #batcher: Batcher;
  readonly #followers = new Set<Follower>();
  readonly #growth: Growth;
  readonly #hash: IngestHash;
  #offset: number;
  /** What the file holds for certain. */
  #kept: number;
  /** What has been handed in, kept or still on its way. */
  #accepted: number;
  #prefix: Promise<void> | undefined;
  #window: Window | undefined;
  #claim: Claim | undefined;
  /** There is no room for it, or no file: what it lacks goes through the window. */
  #refused: boolean;
  #discarded = false;
  #published = false;

  private constructor(options: DiskIngestOptions, file: SharedFile | undefined, offset: number) {
    this.#options = options;
    this.#file = file;
    this.#offset = offset;
    this.#kept = offset;
    this.#accepted = offset;
    this.#growth = new Growth(offset);
    this.#refused = file === undefined;
    this.#hash = new IngestHash(file, options);
    this.#batcher = new Batcher(options.buffers, async (block) => {
      try {
        await this.#keep(block);
      } catch (error) {
        this.fail(asError(error));
        throw error;
      }
    });
  }

  static async open(options: DiskIngestOptions): Promise<DiskIngest> {
    try {
      const file = await openGrowing(options.growing, options.use);
      const { size } = await file.handle.stat();
      return new DiskIngest(options, file, size);
    } catch (error) {
      options.onError('ingest', asError(error));
      options.use[Symbol.dispose]();
      return new DiskIngest(options, undefined, 0);
    }
  }

  get length(): number {
    return this.#growth.length;
  }

  get storing(): boolean {
    return this.#window === undefined && !this.#refused;
  }

  async expect(size: number): Promise<void> {
    if (this.#offset > size) {
      await this.#file?.handle.truncate(0);
      this.#offset = this.#kept = this.#accepted = 0;
    }
    if (!this.#refused) {
      this.#claim = await this.#options.claim(size);
      this.#refused = this.#claim === undefined;
    }
    this.#prefix = this.#hash.begin(size, this.#offset);
    this.#prefix.catch((error: unknown) => this.fail(asError(error)));
    this.#growth.expect(size, this.#offset);
  }

  write(chunk: Uint8Array): Promise<void> | undefined {
    const { failure, size } = this.#growth;
    if (failure !== undefined) throw failure;
    this.#accepted += chunk.length;
    if (this.#accepted > (size ?? 0)) {
      throw new RegistryError('SIZE_INVALID', `more bytes than the ${size} announced`);
    }
    return this.#batcher.write(chunk);
  }

  async commit(): Promise<{ readonly stored: boolean }> {
    await this.#prefix;
    await this.#batcher.flush();
    await this.#verify();
    return { stored: this.storing && (await this.#publish()) };
  }

  fail(reason: Error): void {
    if (!this.#growth.fail(reason)) return;
    this.#batcher.fail(reason);
    this.#window?.close();
  }

  discard(reason: Error): void {
    this.#discarded = true;
    this.fail(reason);
  }

  read(range?: Range): Blob {
    const { size, failure } = this.#growth;
    if (size === undefined) throw new TypeError('read before expect');
    if (failure !== undefined) throw failure;
    const span = spanOf(range, size);
    const file = this.#file?.share();
    const follower: Follower = { position: span.start };
    this.#followers.add(follower);
    return streamed({
      size,
      span,
      reader: { read: (position, into) => this.#read(follower, position, into) },
      buffers: this.#options.buffers,
      finished: async () => {
        if (span.end === size) await this.#growth.believed();
      },
      release: async () => {
        this.#followers.delete(follower);
        this.#window?.moved();
        await file?.release();
      },
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.fail(new RegistryError('UPSTREAM_UNAVAILABLE', 'the download was given up'));
    await this.#prefix?.catch(() => {});
    await this.#batcher.close();
    this.#hash[Symbol.dispose]();
    // A block that was written in part, for want of room, would count as content at the next start.
    if (!this.#published && this.#file !== undefined) {
      await this.#file.handle.truncate(this.#kept).catch(() => {});
      const { leftover } = this.#options;
      const useless = this.#kept === 0 || this.#discarded || leftover === 'removed';
      if (useless) await rm(this.#options.growing, { force: true });
      this.#claim?.end(useless ? 0 : this.#kept);
    }
    await this.#file?.release();
    this.#options.onClosed();
  }

  async #read(follower: Follower, position: number, into: Buffer): Promise<Uint8Array> {
    follower.position = position;
    this.#window?.moved();
    const most = Math.min(into.length, (await this.#growth.past(position)) - position);
    if (position >= this.#kept && this.#window !== undefined) {
      return this.#window.take(follower, most);
    }
    if (this.#file === undefined) throw new TypeError('no file and no window');
    try {
      // Content that turned out to be wrong is not kept: what it failed with is the news.
      if (position >= this.#kept && this.#growth.failure !== undefined) throw this.#growth.failure;
      const kept = into.subarray(0, Math.min(most, this.#kept - position));
      return await this.#file.read(position, kept);
    } catch (error) {
      throw this.#growth.failure ?? error;
    }
  }

  async #keep(block: Uint8Array): Promise<void> {
    await this.#prefix;
    if (!this.storing || !(await this.#keepStored(block))) {
      this.#window ??= await this.#openWindow();
      await this.#window.push(block);
      this.#growth.grow(block.length);
    }
  }

  /** Readers need not wait for the hash: only the last byte does. */
  async #keepStored(block: Uint8Array): Promise<boolean> {
    const storing = this.#store(block);
    const seen = this.#hash.update(block);
    // Until it is awaited it is nobody's unhandled rejection.
    seen?.catch(() => {});
    const stored = await storing;
    if (stored) {
      this.#kept += block.length;
      this.#growth.grow(block.length);
    }
    await seen;
    return stored;
  }

  async #store(block: Uint8Array): Promise<boolean> {
    try {
      await this.#file?.write(block, this.#kept);
      this.#claim?.wrote(block.length);
      return true;
    } catch (error) {
      this.#options.onError('write', asError(error));
      return false;
    }
  }

  async #openWindow(): Promise<Window> {
    const hasher = await this.#hash.here(this.#kept);
    return new Window(this.#kept, hasher, this.#followers, this.#options.window);
  }

  async #verify(): Promise<void> {
    const { digest } = this.#options;
    const actual = await this.#hash.digest().catch((error: unknown) => {
      this.fail(asError(error));
      throw error;
    });
    const { failure, length, size } = this.#growth;
    if (failure !== undefined) throw failure;
    if (length === size && actual === digest) {
      this.#growth.verify();
      return;
    }
    const error =
      length === size
        ? new RegistryError('DIGEST_INVALID', `what came is ${actual}, not ${digest}`)
        : new RegistryError('SIZE_INVALID', `${length} bytes came, not ${size}`);
    this.fail(error);
    this.#kept = 0;
    throw error;
  }

  async #publish(): Promise<boolean> {
    const started = performance.now();
    try {
      const { growing, final } = this.#options;
      this.#claim?.appearing();
      await publish({ file: this.#file, growing, final });
      this.#published = true;
      this.#claim?.end('visible');
      this.#options.onCommitted((performance.now() - started) / 1000);
      this.#options.onStored(this.#growth.length);
      return true;
    } catch (error) {
      this.#options.onError('commit', asError(error));
      return false;
    }
  }
}
