import type { Digest } from '../../core/digest.ts';
import { Pulse } from '../../core/pulse.ts';
import { orAlone } from '../../store/alone.ts';
import { Download } from '../../store/download.ts';
import type { Origin } from '../../store/origins.ts';
import type { Blob } from '../../core/source.ts';
import type { ContentCache } from './content-cache.ts';

export interface FillsOptions {
  readonly cache: ContentCache;
  /** How often a body that breaks without any progress is asked for again. */
  readonly retries: number;
}

/**
 * The downloads into a cache that are under way in this process: one a digest. Each ends when its
 * last reader leaves; what has come is gone on with the next time.
 */
export class Fills implements AsyncDisposable {
  readonly #options: FillsOptions;
  readonly #running = new Map<Digest, Download>();
  readonly #ended = new Pulse();
  #finished = 0;

  constructor(options: FillsOptions) {
    this.#options = options;
  }

  /** How many have ended: what was not in the cache before one did may be there since. */
  get finished(): number {
    return this.#finished;
  }

  /**
   * The whole blob as it comes, by a download that is started or joined. `undefined` when the one
   * that was joined had failed by then, or came to nothing for reasons of another origin.
   */
  async read(origin: Origin, digest: Digest): Promise<Blob | undefined> {
    const running = this.#running.get(digest);
    if (running?.stopped === true) {
      await this.#gone(running);
      return undefined;
    }
    running?.add(origin);
    const download = running ?? this.#start(origin, digest);
    try {
      const blob = await download.read();
      return orAlone(blob, { ...origin, digest, retries: this.#options.retries });
    } catch (error) {
      // What it had come to before is no answer to who came later.
      if (running === undefined) throw error;
      await this.#gone(download);
      return undefined;
    }
  }

  /** Ends what is under way, and waits for it. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const download of this.#running.values()) download.stop();
    while (this.#running.size > 0) await this.#ended.wait();
  }

  #start(origin: Origin, digest: Digest): Download {
    const { cache, retries } = this.#options;
    const download = new Download({
      origin,
      digest,
      store: cache,
      retries,
      abandonAfter: 0,
      onDone: async () => {},
    });
    this.#running.set(digest, download);
    const end = (): void => {
      this.#running.delete(digest);
      this.#finished += 1;
      this.#ended.give();
    };
    // Whoever reads it learns how it failed.
    download.run().then(end, end);
    return download;
  }

  async #gone(download: Download): Promise<void> {
    while (this.#running.get(download.digest) === download) await this.#ended.wait();
  }
}
