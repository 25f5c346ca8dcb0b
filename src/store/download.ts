import { mayHaveSize, type Digest } from '../core/digest.ts';
import { asError } from '../core/errors.ts';
import { pourBlob } from '../core/pour.ts';
import type { Range } from '../core/range.ts';
import { rewrap } from '../core/rewrap.ts';
import type { Repository } from '../core/reference.ts';
import type { Served } from '../core/served.ts';
import type { Blob } from '../core/source.ts';
import { Audience } from './audience.ts';
import type { Ingest } from './store.ts';
import {
  abandoned,
  impossible,
  isOurs,
  isRangeInvalid,
  isWrong,
  Resized,
  somethingElse,
} from './download-failure.ts';
import type { DownloadOptions } from './download-options.ts';
import { Origins, type Origin } from './origins.ts';
import { Persistence } from './persistence.ts';

/**
 * One upstream body on its way into the store, and everybody who reads it meanwhile. It belongs to
 * none of them: readers come and go, and no single one can end it, slow it down or make it fail.
 */
export class Download {
  readonly digest: Digest;
  readonly #options: DownloadOptions;
  readonly #opened = Promise.withResolvers<Ingest>();
  readonly #stop = new AbortController();
  readonly #origins: Origins;
  readonly #audience: Audience;
  #ingest: Ingest | undefined;
  #source: Blob | undefined;
  #begun = false;
  #over = false;
  #failed = false;
  #local = 0;
  #served: Served | undefined;

  constructor(options: DownloadOptions) {
    this.#options = options;
    this.#origins = new Origins(options.origin);
    this.#audience = new Audience({
      patience: options.abandonAfter,
      onGone: () => this.stop(),
      // What goes nowhere but to readers has no use without them.
      onAlone: () => {
        if (this.#ingest?.storing === false) this.stop();
      },
      onChange: options.onReaders,
    });
    this.digest = options.digest;
    this.#opened.promise.catch(() => {});
  }

  /** The repository for which it was started. */
  get repository(): Repository {
    return this.#options.origin.repository;
  }

  /** Every repository that is known to hold what is being fetched. */
  get repositories(): readonly Repository[] {
    return this.#origins.repositories;
  }

  /** Whether it ended before there was anything to read: that says nothing of other repositories. */
  get vain(): boolean {
    return this.#over && !this.#begun;
  }

  /** Another repository turned out to hold the blob: it is asked when the first one fails. */
  add(origin: Origin): void {
    this.#origins.add(origin);
  }

  /** Bytes that have arrived. */
  get length(): number {
    return this.#ingest?.length ?? 0;
  }

  /** Bytes that an earlier attempt had left. */
  get local(): number {
    return this.#local;
  }

  /** `false` once it is certain that what comes will not be kept, for want of room. */
  get storing(): boolean {
    return this.#ingest?.storing !== false;
  }

  /** Whether it has failed those who read it; from then on it only puts away what it has. */
  get failed(): boolean {
    return this.#failed;
  }

  /** Whether it was ended early, by `stop` or for want of readers. */
  get stopped(): boolean {
    return this.#stop.signal.aborted;
  }

  /**
   * Fetches until the content is there, or there is no point in going on; tells whether it was stored.
   * @throws RegistryError what ended it; what has come stays resumable unless it was wrong
   */
  async run(): Promise<boolean> {
    this.#audience.watch();
    try {
      await using ingest = await this.#options.store.ingest(this.digest);
      this.#ingest = ingest;
      try {
        const size = await this.#fill(ingest);
        const { stored } = await this.#commit(ingest);
        await this.#options.onDone(size, stored);
        return stored;
      } catch (error) {
        const reason = this.#stop.signal.aborted ? abandoned(this.repository, this.digest) : error;
        this.#failed = true;
        // Who was wrong, the next attempt would learn from the digest, at the very end.
        if (reason instanceof Resized) ingest.discard(reason);
        else ingest.fail(asError(reason));
        throw reason;
      }
    } catch (error) {
      this.#end();
      this.#opened.reject(error);
      throw error;
    } finally {
      this.#end();
      await this.#source?.[Symbol.asyncDispose]();
    }
  }

  /** Ends it now; what has come stays resumable. */
  stop(): void {
    this.#stop.abort();
    void this.#source?.[Symbol.asyncDispose]();
  }

  /**
   * Follows the download from its first byte on, also before the upstream has answered.
   * @throws RegistryError RANGE_INVALID, or what kept the download from starting
   */
  async read(range?: Range): Promise<Blob> {
    const leave = this.#audience.join();
    try {
      const blob = (await this.#opened.promise).read(range);
      return rewrap(blob, {
        local: Math.max(0, Math.min(this.#local, blob.span.end) - blob.span.start),
        ...(this.#served && { served: this.#served }),
        [Symbol.asyncDispose]: async () => {
          leave();
          await blob[Symbol.asyncDispose]();
        },
      });
    } catch (error) {
      leave();
      throw error;
    }
  }

  async #fill(ingest: Ingest): Promise<number> {
    const size = await this.#open(ingest);
    let position = ingest.length;
    const persistence = new Persistence(this.#options.retries, this.#stop.signal);
    while (position < size) {
      try {
        await using source = this.#source ?? (await this.#request(position, size));
        this.#source = source;
        this.#stop.signal.throwIfAborted();
        await pourBlob(source, async (chunk) => {
          await ingest.write(chunk);
          position += chunk.length;
          persistence.progress();
          if (this.#audience.empty && !ingest.storing) this.stop();
        });
      } catch (error) {
        if (this.#stop.signal.aborted) throw error;
        await this.#goOn(error, persistence);
        this.#options.onResume?.(position);
      } finally {
        this.#source = undefined;
      }
    }
    return size;
  }

  /** Waits where that may help, and turns to the next origin. @throws the error itself where none is left */
  async #goOn(error: unknown, persistence: Persistence): Promise<void> {
    try {
      await persistence.recover(error);
      this.#origins.turn();
    } catch (hopeless) {
      if (this.#stop.signal.aborted || isOurs(error) || !this.#origins.drop()) throw hopeless;
      persistence.progress();
    }
  }

  /** Gets the upstream's first answer, and with it the size. */
  async #open(ingest: Ingest): Promise<number> {
    const { digest, onResume } = this.#options;
    const { repository, upstream } = this.#options.origin;
    const offset = ingest.length;
    let size: number;
    try {
      this.#source = await upstream.blob(
        repository,
        digest,
        offset > 0 ? { from: offset } : undefined,
      );
      ({ size } = this.#source);
    } catch (error) {
      // Nothing may be missing any more, or the bytes that are there belong to something else.
      if (offset === 0 || !isRangeInvalid(error)) throw error;
      ({ size } = await upstream.stat(repository, digest));
    }
    // An answer of no bytes is over with its head, before there is anything to hash.
    if (!mayHaveSize(digest, size)) throw impossible(repository, digest, size);
    this.#served = this.#source?.served;
    await ingest.expect(size);
    this.#local = ingest.length;
    if (ingest.length !== offset) {
      await this.#source?.[Symbol.asyncDispose]();
      this.#source = undefined;
    } else if (offset > 0) {
      onResume?.(offset);
    }
    this.#begun = true;
    this.#opened.resolve(ingest);
    return size;
  }

  async #commit(ingest: Ingest): Promise<{ readonly stored: boolean }> {
    try {
      return await ingest.commit();
    } catch (error) {
      throw isWrong(error) ? somethingElse(this.repository, this.digest, error) : error;
    }
  }

  async #request(position: number, size: number): Promise<Blob> {
    const { digest } = this.#options;
    const { repository, upstream } = this.#origins.asked;
    const source = await upstream.blob(repository, digest, { from: position });
    if (source.size === size && source.span.start === position) return source;
    await source[Symbol.asyncDispose]();
    throw new Resized(repository, digest, { said: size, says: source.size });
  }

  #end(): void {
    this.#over = true;
    this.#audience.dismiss();
  }
}
