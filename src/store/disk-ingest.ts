import { rm } from 'node:fs/promises';
import { algorithmOf, Hasher, type Digest } from '../core/digest.ts';
import { asError, RegistryError } from '../core/errors.ts';
import { Pulse } from '../core/pulse.ts';
import { spanOf, type Range } from '../core/range.ts';
import type { Blob } from '../core/source.ts';
import { Batcher } from './batcher.ts';
import type { Claim } from './budget/room.ts';
import type { Buffers } from './buffers.ts';
import { publish } from './publish.ts';
import { openGrowing, type SharedFile } from './shared-file.ts';
import type { Ingest } from './store.ts';
import { streamed } from './streamed.ts';
import { Window, type Follower } from './window.ts';

export interface DiskIngestOptions {
  readonly digest: Digest;
  /** Where the bytes grow, and where they appear once they are right. */
  readonly growing: string;
  readonly final: string;
  readonly buffers: Buffers;
  /** Sets room aside for content of so many bytes; `undefined`: it is passed on without being stored. */
  readonly claim: (size: number) => Promise<Claim | undefined>;
  /** Disposed when nobody writes or reads the file any more. */
  readonly use: Disposable;
  /** Something could not be stored; readers are served all the same. */
  readonly onError: (operation: string, error: Error) => void;
  /** What becomes of the file when it is not committed. */
  readonly leftover: 'resumable' | 'removed';
  /** Bytes of memory for what cannot be stored, so that readers may be apart by as much; 8 MiB if left out. */
  readonly window?: number;
  /** It has become visible; bytes. */
  readonly onStored: (size: number) => void;
  /** How long it took until it was safe and visible. */
  readonly onCommitted: (seconds: number) => void;
  readonly onClosed: () => void;
}

/** Content that grows in a file, or, where the file cannot take it, in a window of memory. */
export class DiskIngest implements Ingest {
  readonly #options: DiskIngestOptions;
  readonly #file: SharedFile | undefined;
  readonly #batcher: Batcher;
  readonly #followers = new Set<Follower>();
  readonly #grown = new Pulse();
  #hasher: Hasher;
  #offset: number;
  /** What the file holds for certain, and what has been hashed and can be read. */
  #kept: number;
  #readable: number;
  /** What has been handed in, kept or still on its way. */
  #accepted: number;
  #prefix: Promise<void> | undefined;
  #size: number | undefined;
  #window: Window | undefined;
  #claim: Claim | undefined;
  /** There is no room for it: what it lacks goes through the window. */
  #refused = false;
  #verified = false;
  #published = false;
  #failure: Error | undefined;

  private constructor(options: DiskIngestOptions, file: SharedFile | undefined, offset: number) {
    this.#options = options;
    this.#file = file;
    this.#offset = offset;
    this.#kept = offset;
    this.#readable = offset;
    this.#hasher = new Hasher(algorithmOf(options.digest));
    this.#accepted = offset;
    this.#batcher = new Batcher(options.buffers, async (block) => {
      try {
        await this.#keep(block);
      } catch (error) {
        this.fail(asError(error));
        throw error;
      }
    });
    if (file === undefined) this.#openWindow();
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
    return this.#readable;
  }

  get storing(): boolean {
    return this.#window === undefined && !this.#refused;
  }

  async expect(size: number): Promise<void> {
    this.#size = size;
    if (this.#offset > size) {
      await this.#file?.handle.truncate(0);
      this.#offset = this.#kept = this.#readable = this.#accepted = 0;
    }
    if (this.#window === undefined) {
      this.#claim = await this.#options.claim(size);
      this.#refused = this.#claim === undefined;
    }
    this.#prefix =
      this.#offset > 0
        ? this.#file?.hash(this.#offset, this.#hasher, this.#options.buffers)
        : undefined;
    this.#prefix?.catch((error: unknown) => this.fail(asError(error)));
    this.#grown.give();
  }

  write(chunk: Uint8Array): Promise<void> | undefined {
    if (this.#failure !== undefined) throw this.#failure;
    this.#accepted += chunk.length;
    if (this.#accepted > (this.#size ?? 0)) {
      throw new RegistryError('SIZE_INVALID', `more bytes than the ${this.#size} announced`);
    }
    return this.#batcher.write(chunk);
  }

  async commit(): Promise<{ readonly stored: boolean }> {
    await this.#prefix;
    await this.#batcher.flush();
    if (this.#failure !== undefined) throw this.#failure;
    this.#verify();
    this.#verified = true;
    this.#grown.give();
    return { stored: this.storing && (await this.#publish()) };
  }

  fail(reason: Error): void {
    if (this.#verified) return;
    this.#failure ??= reason;
    this.#batcher.fail(reason);
    this.#window?.close();
    this.#grown.give();
  }

  read(range?: Range): Blob {
    const size = this.#size;
    if (size === undefined) throw new TypeError('read before expect');
    if (this.#failure !== undefined) throw this.#failure;
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
        if (span.end === size) await this.#until(() => this.#verified);
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
    // A block that was written in part, for want of room, would count as content at the next start.
    if (!this.#published && this.#file !== undefined) {
      await this.#file.handle.truncate(this.#kept).catch(() => {});
      const useless = this.#kept === 0 || this.#options.leftover === 'removed';
      if (useless) await rm(this.#options.growing, { force: true });
      this.#claim?.end(useless ? 0 : this.#kept);
    }
    await this.#file?.release();
    this.#options.onClosed();
  }

  async #read(follower: Follower, position: number, into: Buffer): Promise<Uint8Array> {
    follower.position = position;
    this.#window?.moved();
    await this.#until(() => this.#limit() > position);
    const most = Math.min(into.length, this.#limit() - position);
    if (position >= this.#kept && this.#window !== undefined) {
      return this.#window.take(follower, most);
    }
    if (this.#file === undefined) throw new TypeError('no file and no window');
    try {
      // Content that turned out to be wrong is not kept: what it failed with is the news.
      if (position >= this.#kept && this.#failure !== undefined) throw this.#failure;
      const kept = into.subarray(0, Math.min(most, this.#kept - position));
      return await this.#file.read(position, kept);
    } catch (error) {
      throw this.#failure ?? error;
    }
  }

  /** Readers may go up to here: the last byte waits for the digest. */
  #limit(): number {
    return this.#verified ? this.#readable : Math.min(this.#readable, (this.#size ?? 0) - 1);
  }

  async #until(condition: () => boolean): Promise<void> {
    while (!condition()) {
      if (this.#failure !== undefined) throw this.#failure;
      await this.#grown.wait();
    }
  }

  async #keep(block: Uint8Array): Promise<void> {
    await this.#prefix;
    if (this.#refused && this.#window === undefined) this.#openWindow();
    if (this.#window === undefined) {
      const writing = this.#store(block);
      const before = this.#hasher.copy();
      this.#hasher.update(block);
      if (!(await writing)) await this.#openWindow(before).push(block, before);
    } else {
      await this.#window.push(block, this.#hasher);
      this.#hasher.update(block);
    }
    this.#readable += block.length;
    if (this.#window === undefined) this.#kept = this.#readable;
    this.#grown.give();
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

  #openWindow(before = this.#hasher): Window {
    this.#window = new Window(this.#kept, before, this.#followers, this.#options.window);
    return this.#window;
  }

  #verify(): void {
    const { digest } = this.#options;
    const actual = this.#hasher.digest();
    if (this.#readable === this.#size && actual === digest) return;
    const error =
      this.#readable === this.#size
        ? new RegistryError('DIGEST_INVALID', `what came is ${actual}, not ${digest}`)
        : new RegistryError('SIZE_INVALID', `${this.#readable} bytes came, not ${this.#size}`);
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
      this.#options.onStored(this.#readable);
      return true;
    } catch (error) {
      this.#options.onError('commit', asError(error));
      return false;
    }
  }
}
