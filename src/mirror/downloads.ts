import type { Digest } from '../core/digest.ts';
import { asError, RegistryError } from '../core/errors.ts';
import type { Repository } from '../core/reference.ts';
import type { Source } from '../core/source.ts';
import type { LinkStore } from '../store/links.ts';
import type { ContentStore } from '../store/store.ts';
import type { Background } from './background.ts';
import { within } from './deadline.ts';
import { Download } from './download.ts';
import type { MirrorEvent } from './event.ts';

export interface DownloadsOptions {
  readonly upstream: (host: string) => Source;
  readonly store: ContentStore;
  readonly links: LinkStore;
  readonly retries: number;
  /** Milliseconds. */
  readonly abandonAfter: number;
  readonly observe: (event: MirrorEvent) => void;
  readonly background: Background;
}

/** The downloads under way: one a digest, however many ask and through whichever repository. */
export class Downloads {
  readonly #options: DownloadsOptions;
  readonly #running = new Map<Digest, Download>();
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

  /** The one for the digest, which is started if there is none. */
  join({ host, path }: Repository, digest: Digest): Download {
    const running = this.#running.get(digest);
    if (running === undefined) return this.#start({ host, path }, digest);
    this.#options.observe({ type: 'download-joined', host, digest });
    return running;
  }

  #start(repository: Repository, digest: Digest): Download {
    const { upstream, store, retries, abandonAfter, observe, background } = this.#options;
    const about = { host: repository.host, digest };
    const download = new Download({
      repository,
      digest,
      upstream: upstream(repository.host),
      store,
      retries,
      abandonAfter,
      onResume: (at) => observe({ type: 'download-resumed', ...about, at }),
      onDone: async (size, stored) => {
        // The link comes before the map entry goes: there is no moment at which neither is there.
        if (stored) await this.#link(repository, digest, size);
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
    await this.#options.background.settle();
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
