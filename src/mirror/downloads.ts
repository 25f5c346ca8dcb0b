import type { Digest } from '../core/digest.ts';
import { asError, RegistryError } from '../core/errors.ts';
import { Pulse } from '../core/pulse.ts';
import type { Repository } from '../core/reference.ts';
import type { Source } from '../core/source.ts';
import type { LinkStore } from '../store/links.ts';
import type { ContentStore } from '../store/store.ts';
import type { Background } from './background.ts';
import { within } from './deadline.ts';
import { Download } from '../store/download.ts';
import type { MirrorEvent } from './event.ts';

/** How long a download tries, and for whom. */
export interface DownloadPolicy {
  /** How often it is taken up again where it was cut. */
  readonly retries: number;
  /** Milliseconds for which it goes on without a reader. */
  readonly abandonAfter: number;
}

export interface DownloadsOptions {
  readonly upstream: (host: string) => Source;
  readonly store: ContentStore;
  readonly links: LinkStore;
  /** Asked when a download begins. */
  readonly begin: () => DownloadPolicy;
  readonly observe: (event: MirrorEvent) => void;
  readonly background: Background;
}

/** Milliseconds for stopped downloads to put away what they have. */
const LAST_WAIT = 2_000;

/** The downloads under way: one a digest, however many ask and through whichever repository. */
export class Downloads {
  readonly #options: DownloadsOptions;
  readonly #running = new Map<Digest, Download>();
  readonly #ended = new Pulse();
  #finished = 0;

  constructor(options: DownloadsOptions) {
    this.#options = options;
  }

  get(digest: Digest): Download | undefined {
    return this.#running.get(digest);
  }

  /** How many have come to an end: what was not in the store before one did may be there since. */
  get finished(): number {
    return this.#finished;
  }

  /** The one for the digest, which is started if there is none. The repository is known to hold it. */
  join(repository: Repository, digest: Digest): Download {
    const running = this.#running.get(digest);
    if (running === undefined) return this.#start(repository, digest);
    const { host } = repository;
    running.add({ repository, upstream: this.#options.upstream(host) });
    this.#options.observe({ type: 'download-joined', host, digest });
    return running;
  }

  /** Settles once the download is over and another one can be started. */
  async gone(download: Download): Promise<void> {
    while (this.#running.get(download.digest) === download) await this.#ended.wait();
  }

  #start(repository: Repository, digest: Digest): Download {
    const { upstream, store, begin, observe, background } = this.#options;
    const about = { host: repository.host, digest };
    const download = new Download({
      origin: { repository, upstream: upstream(repository.host) },
      digest,
      store,
      ...begin(),
      onReaders: (change) => observe({ type: 'download-readers', host: repository.host, change }),
      onResume: (at) => observe({ type: 'download-resumed', ...about, at }),
      onDone: async (size, stored) => {
        // The link comes before the map entry goes: there is no moment at which neither is there.
        if (stored) for (const one of download.repositories) await this.#link(one, digest, size);
        this.#forget(digest);
      },
    });
    this.#running.set(digest, download);
    observe({ type: 'download-started', ...about });
    background.run(() => this.#follow(download));
    return download;
  }

  /** Lets downloads finish for so many milliseconds, then stops the rest; those stay resumable. */
  async close(milliseconds: number): Promise<void> {
    await within(this.#options.background.settle(), milliseconds);
    for (const download of this.#running.values()) download.stop();
    // An upstream that owes its headers cannot be hurried; what it would bring is not waited for.
    await within(this.#options.background.settle(), LAST_WAIT);
  }

  async #follow(download: Download): Promise<void> {
    const { repository, digest } = download;
    const started = performance.now();
    const end = (
      result: (MirrorEvent & { type: 'download-ended' })['result'],
      error?: Error,
    ): void => {
      const seconds = (performance.now() - started) / 1000;
      const about = { type: 'download-ended', host: repository.host, digest, result } as const;
      this.#options.observe({ ...about, seconds, ...(error && { error }) });
    };
    try {
      end((await download.run()) ? 'stored' : 'unstored');
    } catch (error) {
      const failure = asError(error);
      end(resultOf(failure, download), failure);
      this.#forget(digest);
    }
  }

  #forget(digest: Digest): void {
    this.#running.delete(digest);
    this.#finished += 1;
    this.#ended.give();
  }

  async #link(repository: Repository, digest: Digest, size: number): Promise<void> {
    try {
      await this.#options.links.set(repository, digest, { size });
    } catch (error) {
      this.#options.observe({
        type: 'storage-error',
        operation: 'link',
        error: asError(error),
      });
    }
  }
}

function resultOf(error: Error, download: Download): 'mismatch' | 'abandoned' | 'failed' {
  if (download.stopped) return 'abandoned';
  const cause = error instanceof RegistryError ? error.cause : undefined;
  const mismatch = cause instanceof RegistryError && cause.code === 'DIGEST_INVALID';
  return mismatch ? 'mismatch' : 'failed';
}
