import type { Digest } from '../core/digest.ts';
import { asError, RegistryError } from '../core/errors.ts';
import type { Range } from '../core/range.ts';
import { rewrap } from '../core/rewrap.ts';
import { formatRepository, type Repository } from '../core/reference.ts';
import type { Served } from '../core/served.ts';
import type { Blob } from '../core/source.ts';
import type { ContentStore, Ingest } from './store.ts';
import { Origins, type Origin } from './origins.ts';
import { Persistence } from './persistence.ts';

export interface DownloadOptions {
  readonly origin: Origin;
  readonly digest: Digest;
  readonly store: Pick<ContentStore, 'ingest'>;
  readonly retries: number;
  /** Milliseconds without a reader after which it stops. */
  readonly abandonAfter: number;
  readonly onResume?: (at: number) => void;
  /** Somebody began to follow it, or stopped. */
  readonly onReaders?: (change: 1 | -1) => void;
  /** The content is right; `stored` tells whether it is in the store, too. Readers come until this settles. */
  readonly onDone: (size: number, stored: boolean) => Promise<void>;
}

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
  #ingest: Ingest | undefined;
  #source: Blob | undefined;
  #readers = 0;
  #begun = false;
  #over = false;
  #local = 0;
  #served: Served | undefined;
  #loneliness: NodeJS.Timeout | undefined;

  constructor(options: DownloadOptions) {
    this.#options = options;
    this.#origins = new Origins(options.origin);
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

  /** Whether it was ended early, by `stop` or for want of readers. */
  get stopped(): boolean {
    return this.#stop.signal.aborted;
  }

  /**
   * Fetches until the content is there, or there is no point in going on; tells whether it was stored.
   * @throws RegistryError what ended it; what has come stays resumable unless it was wrong
   */
  async run(): Promise<boolean> {
    this.#watch();
    try {
      await using ingest = await this.#options.store.ingest(this.digest);
      this.#ingest = ingest;
      try {
        const size = await this.#fill(ingest);
        const { stored } = await commit(ingest, this.#options);
        await this.#options.onDone(size, stored);
        return stored;
      } catch (error) {
        const reason = this.#stop.signal.aborted ? abandoned(this.#options) : error;
        ingest.fail(asError(reason));
        throw reason;
      }
    } catch (error) {
      this.#over = true;
      this.#opened.reject(error);
      throw error;
    } finally {
      this.#over = true;
      clearTimeout(this.#loneliness);
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
    this.#readers += 1;
    this.#options.onReaders?.(1);
    this.#watch();
    let reading = true;
    const leave = (): void => {
      if (!reading) return;
      reading = false;
      this.#readers -= 1;
      this.#options.onReaders?.(-1);
      this.#watch();
    };
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
        await pour(source, async (chunk) => {
          await ingest.write(chunk);
          position += chunk.length;
          persistence.progress();
          if (this.#readers === 0 && !ingest.storing) this.stop();
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

  async #request(position: number, size: number): Promise<Blob> {
    const { digest } = this.#options;
    const { repository, upstream } = this.#origins.asked;
    const source = await upstream.blob(repository, digest, { from: position });
    if (source.size === size && source.span.start === position) return source;
    await source[Symbol.asyncDispose]();
    throw new RegistryError(
      'UPSTREAM_INVALID',
      `${repository.host} says that ${digest} has ${source.size} bytes, having said ${size}`,
    );
  }

  #watch(): void {
    clearTimeout(this.#loneliness);
    if (this.#over || this.#readers > 0) return;
    if (this.#ingest?.storing === false) this.stop();
    this.#loneliness = setTimeout(() => this.stop(), this.#options.abandonAfter);
  }
}

/** The chunks of a blob, by its own reused buffers where it has them. */
async function pour(blob: Blob, write: (chunk: Uint8Array) => Promise<void>): Promise<void> {
  if (blob.pour !== undefined) return blob.pour(write);
  for await (const chunk of blob.body) await write(chunk);
}

async function commit(ingest: Ingest, { origin: { repository }, digest }: DownloadOptions) {
  try {
    return await ingest.commit();
  } catch (cause) {
    throw new RegistryError(
      'UPSTREAM_INVALID',
      `${repository.host} sent something else under ${digest}; it was thrown away`,
      { cause },
    );
  }
}

/** What kept the bytes from being taken, rather than from being sent: no other origin mends that. */
function isOurs(error: unknown): boolean {
  const { code } = error instanceof RegistryError ? error : { code: undefined };
  return code === undefined || code === 'SIZE_INVALID' || code === 'STORAGE_UNAVAILABLE';
}

function isRangeInvalid(error: unknown): boolean {
  return error instanceof RegistryError && error.code === 'RANGE_INVALID';
}

function abandoned({ origin: { repository }, digest }: DownloadOptions): RegistryError {
  return new RegistryError(
    'UPSTREAM_UNAVAILABLE',
    `the download of ${digest} from ${formatRepository(repository)} was stopped; it goes on when it is asked for again`,
  );
}
