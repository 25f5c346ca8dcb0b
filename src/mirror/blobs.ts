import type { Digest } from '../core/digest.ts';
import type { Range } from '../core/range.ts';
import { rewrap } from '../core/rewrap.ts';
import { formatReference, same, type Repository } from '../core/reference.ts';
import type { Served } from '../core/served.ts';
import { SingleFlight } from '../core/single-flight.ts';
import type { Blob, BlobStat, Source } from '../core/source.ts';
import type { Link, LinkStore } from '../store/links.ts';
import type { ContentStore } from '../store/store.ts';
import { isRight } from '../store/verify.ts';
import { orAlone } from '../store/alone.ts';
import type { Background } from './background.ts';
import type { Download } from '../store/download.ts';
import type { Downloads } from './downloads.ts';
import { Negative } from './negative.ts';
import type { TagPolicy } from './policy.ts';

export interface BlobsOptions {
  readonly upstream: (host: string) => Source;
  readonly store: ContentStore;
  readonly links: LinkStore;
  readonly downloads: Downloads;
  readonly policy: (host: string) => TagPolicy;
  readonly retries: () => number;
  readonly background: Background;
  /** Told of everything that was asked for and is here. */
  readonly touch?: (digest: Digest) => void;
}

/** Bytes. A closed range further ahead of the fill than this does not wait for it. */
const FAR = 8 * 1024 * 1024;

/** Blobs: from the store, from the download under way, or by starting one. */
export class Blobs {
  readonly #options: BlobsOptions;
  readonly #confirming = new SingleFlight<BlobStat>();
  readonly #negative = new Negative();

  constructor(options: BlobsOptions) {
    this.#options = options;
  }

  async stat(repository: Repository, digest: Digest): Promise<BlobStat> {
    const { links, store } = this.#options;
    const link = await links.get(repository, digest);
    if (link !== undefined && (await isHeld(store, digest, link))) {
      this.#options.touch?.(digest);
      return { size: link.size, served: { result: 'hit' } };
    }
    const { size } = await this.#confirm(repository, digest);
    return { size, served: { result: 'miss' } };
  }

  async blob(repository: Repository, digest: Digest, range?: Range): Promise<Blob> {
    const { links, downloads } = this.#options;
    for (let confirmed = false; ;) {
      const { finished } = downloads;
      const held = await this.#held(repository, digest, range);
      if (held !== undefined)
        return rewrap(held, { served: { result: confirmed ? 'revalidated' : 'hit' } });
      const allowed = confirmed || (await links.get(repository, digest)) !== undefined;
      if (!allowed && (await this.#isElsewhere(repository, digest))) {
        // Here by way of another repository: no reason to show it to this one.
        await this.#confirm(repository, digest);
        confirmed = true;
        continue;
      }
      const running = downloads.get(digest);
      if (running?.failed === true) {
        // What it failed with was the answer to others.
        await downloads.gone(running);
        continue;
      }
      const open = allowed || running === undefined || same(running.repository, repository);
      // A download that ended meanwhile may have brought it after the look into the store.
      if (!open || finished !== downloads.finished) continue;
      const fetched = await this.#fetch(repository, digest, range);
      if (fetched !== undefined) return fetched;
    }
  }

  /** What upstreams have said not to be there is asked again: they may be others by now. */
  reconsider(): void {
    this.#negative.clear();
  }

  async #isElsewhere(repository: Repository, digest: Digest): Promise<boolean> {
    const running = this.#options.downloads.get(digest);
    if (running !== undefined) return !same(running.repository, repository);
    return (await this.#options.store.size(digest)) !== undefined;
  }

  async #held(repository: Repository, digest: Digest, range?: Range): Promise<Blob | undefined> {
    const { links, store, touch } = this.#options;
    const link = await links.get(repository, digest);
    const held = link && (await store.open(digest, { range, size: link.size }));
    if (held !== undefined) touch?.(digest);
    return held;
  }

  /** `undefined` when the download that was joined came to nothing for reasons of another repository. */
  async #fetch(repository: Repository, digest: Digest, range?: Range): Promise<Blob | undefined> {
    const { upstream, downloads, retries, policy } = this.#options;
    const key = formatReference(repository, digest);
    this.#negative.check(key);
    const running = downloads.get(digest);
    if (isFar(range, running)) return this.#direct(repository, digest, range);
    const download = downloads.join(repository, digest);
    try {
      const blob = await download.read(range);
      const origin = { upstream: upstream(repository.host), repository };
      const alone = { ...origin, digest, retries: retries() };
      const served: Served =
        running === undefined ? { result: 'miss', stored: true } : { result: 'joined' };
      return rewrap(orAlone(blob, alone), { served });
    } catch (error) {
      if (download.vain && !same(download.repository, repository)) {
        await downloads.gone(download);
        return undefined;
      }
      this.#negative.note(key, error, policy(repository.host).notFoundFor);
      throw error;
    }
  }

  /** A part of its own from the upstream, not stored. */
  async #direct(repository: Repository, digest: Digest, range?: Range): Promise<Blob> {
    const { upstream, policy } = this.#options;
    try {
      const blob = await upstream(repository.host).blob(repository, digest, range);
      return rewrap(blob, { served: { result: 'bypass' } });
    } catch (error) {
      const key = formatReference(repository, digest);
      this.#negative.note(key, error, policy(repository.host).notFoundFor);
      throw error;
    }
  }

  /** Has the upstream say that the repository holds the blob, which makes it a link. */
  #confirm(repository: Repository, digest: Digest): Promise<BlobStat> {
    const key = formatReference(repository, digest);
    this.#negative.check(key);
    return this.#confirming.run(key, async () => {
      const { upstream, store, links, policy, background } = this.#options;
      try {
        const { size } = await upstream(repository.host).stat(repository, digest);
        const stored = await store.size(digest);
        if (stored === undefined) return { size };
        // They disagree: what is stored has been verified once, but who knows what became of it.
        if (stored !== size && !(await isRight(store, digest))) return { size };
        background.run(() => links.set(repository, digest, { size: stored }));
        return { size: stored };
      } catch (error) {
        this.#negative.note(key, error, policy(repository.host).notFoundFor);
        throw error;
      }
    });
  }
}

/** Opened only to be set aside where the size is another: most are right, and a look at them is enough. */
async function isHeld(store: ContentStore, digest: Digest, { size }: Link): Promise<boolean> {
  const stored = await store.size(digest);
  if (stored === undefined || stored === size) return stored === size;
  await using held = await store.open(digest, { size });
  return held !== undefined;
}

function isFar(range: Range | undefined, running: Download | undefined): boolean {
  if (range === undefined) return false;
  if ('last' in range) return running === undefined;
  return range.to !== undefined && range.from > (running?.length ?? 0) + FAR;
}
