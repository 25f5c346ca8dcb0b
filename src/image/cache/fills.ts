import type { Digest } from '../../core/digest.ts';
import { Pulse } from '../../core/pulse.ts';
import type { Range } from '../../core/range.ts';
import type { Blob } from '../../core/source.ts';
import { orAlone } from '../../store/alone.ts';
import { Download } from '../../store/download.ts';
import { somethingElse } from '../../store/download-failure.ts';
import type { Origin } from '../../store/origins.ts';
import type { Ingest } from '../../store/store.ts';
import { resuming } from '../resuming.ts';
import type { ContentCache } from './content-cache.ts';
import type { Neighbours } from './neighbours.ts';
import type { Neighbour } from './neighbour.ts';
import { verified } from './verified.ts';

export interface FillsOptions {
  readonly cache: ContentCache;
  readonly neighbours: Neighbours;
  /** How often a body that breaks without any progress is asked for again. */
  readonly retries: number;
}

/** What somebody wants to read, and how. */
export interface Wanted {
  readonly origin: Origin;
  readonly digest: Digest;
  /** Bytes of the whole, where they are known. */
  readonly size: number | undefined;
  /** The first byte; the reader has what is before it. */
  readonly from: number;
  /** Whether it may be left to another process that is fetching it. */
  readonly by: 'anybody' | 'us';
}

export type Filling =
  | { readonly by: 'us'; readonly blob: Blob }
  | { readonly by: 'neighbour'; readonly neighbour: Neighbour }
  /** Another process has brought it. */
  | { readonly by: 'cache' };

type Begun = Filling | Download;

/**
 * The downloads into a cache that are under way in this process: one a digest. Each ends when its
 * last reader leaves; what has come is gone on with the next time. What another process is fetching
 * is left to it.
 */
export class Fills implements AsyncDisposable {
  readonly #options: FillsOptions;
  readonly #running = new Map<Digest, Download>();
  readonly #beginning = new Map<Digest, Promise<Begun>>();
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
   * The blob to its end as it comes, by a download that is started or joined, or by another process.
   * `undefined` where to ask again: the download that was joined had failed, or came to nothing for
   * reasons of another origin.
   */
  async read(wanted: Wanted): Promise<Filling | undefined> {
    const { digest, origin } = wanted;
    const beginning = this.#beginning.get(digest);
    if (beginning !== undefined) {
      await beginning.catch(() => {});
      return undefined;
    }
    const running = this.#running.get(digest);
    if (running?.stopped === true) {
      await this.#gone(running);
      return undefined;
    }
    running?.add(origin);
    const begun = running ?? (await this.#begin(wanted));
    if (!(begun instanceof Download)) return begun;
    try {
      const blob = await begun.read(rangeFrom(wanted.from));
      const { retries } = this.#options;
      return { by: 'us', blob: orAlone(blob, { ...origin, digest, retries }) };
    } catch (error) {
      // What it had come to before is no answer to who came later.
      if (running === undefined) throw error;
      await this.#gone(running);
      return undefined;
    }
  }

  /** Ends what is under way, and waits for it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.allSettled(this.#beginning.values());
    for (const download of this.#running.values()) download.stop();
    while (this.#running.size > 0) await this.#ended.wait();
  }

  /** Whoever else wants it meanwhile waits until it is settled who fetches it, and looks again. */
  async #begin(wanted: Wanted): Promise<Begun> {
    const beginning = this.#claim(wanted);
    this.#beginning.set(wanted.digest, beginning);
    try {
      return await beginning;
    } finally {
      this.#beginning.delete(wanted.digest);
    }
  }

  async #claim({ origin, digest, size, from, by }: Wanted): Promise<Begun> {
    const { cache, neighbours } = this.#options;
    const claimed = await cache.claim(digest, {
      repository: origin.repository,
      size,
      trust: (name) => (by === 'us' ? neighbours.alone(name) : neighbours.trust(name)),
      blob: by === 'us' ? 'of-no-use' : 'perhaps-there',
      onCopied: (name) => neighbours.used(name),
    });
    switch (claimed.kind) {
      case 'there':
        return { by: 'cache' };
      case 'theirs':
        return { by: 'neighbour', neighbour: claimed.neighbour };
      case 'mine': {
        if (from === 0 || claimed.ingest.length > 0) {
          return this.#start(origin, digest, claimed.ingest);
        }
        // Whoever fetched it could not keep it: what the reader has is not fetched again for that.
        await claimed.ingest[Symbol.asyncDispose]();
        return { by: 'us', blob: await this.#past(origin, digest, from) };
      }
      case 'nobody':
        return { by: 'us', blob: await this.#past(origin, digest, from) };
    }
  }

  /** Past the cache, which cannot keep it. */
  async #past({ repository, upstream }: Origin, digest: Digest, from: number): Promise<Blob> {
    const { retries } = this.#options;
    const blob = await resuming(upstream, { retries }).blob(repository, digest, rangeFrom(from));
    // Who has what is before it checks all of it.
    if (from > 0) return blob;
    return verified(blob, digest, async () => somethingElse(repository, digest));
  }

  #start(origin: Origin, digest: Digest, ingest: Ingest): Download {
    const download = new Download({
      origin,
      digest,
      store: { ingest: async () => ingest },
      retries: this.#options.retries,
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

function rangeFrom(from: number): Range | undefined {
  return from === 0 ? undefined : { from };
}
