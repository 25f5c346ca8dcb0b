import { LRUCache } from 'lru-cache';
import type { Descriptor } from '../core/descriptor.ts';
import type { Digest } from '../core/digest.ts';
import { isUnknown } from '../core/errors.ts';
import { formatReference, formatRepository, type Repository, type Tag } from '../core/reference.ts';
import { SingleFlight } from '../core/single-flight.ts';
import type { Listing, Source } from '../core/source.ts';
import type { ReferrersStore } from '../store/referrers.ts';
import type { TagStore } from '../store/tags.ts';
import type { Background } from './background.ts';
import { LATE, within } from './deadline.ts';
import type { TagPolicy } from './policy.ts';
import { Postponed } from './postponed.ts';
import { reasonOf } from './reason.ts';

export interface ListingsOptions {
  readonly upstream: (host: string) => Source;
  readonly tags: TagStore;
  readonly referrers: ReferrersStore;
  readonly policy: (host: string) => TagPolicy;
  readonly background: Background;
  readonly now: () => number;
}

/** A list that the upstream gave. Milliseconds since 1970. */
interface Remembered<T> {
  readonly items: readonly T[];
  readonly checkedAt: number;
}

/** Entries of all remembered tag lists together. */
const REMEMBERED = 500_000;

/** Remembered lists of referrers, most of which are empty. */
const REFERRERS = 10_000;

/** Tags and referrers: the upstream's word while it can be had, else what is known. */
export class Listings {
  readonly #options: ListingsOptions;
  readonly #tags = new LRUCache<string, Remembered<Tag>>({
    maxSize: REMEMBERED,
    sizeCalculation: ({ items }) => items.length + 1,
  });
  readonly #referrers = new LRUCache<string, Remembered<Descriptor>>({ max: REFERRERS });
  readonly #postponed = new Postponed();
  readonly #askingTags = new SingleFlight<Remembered<Tag>>();
  readonly #askingReferrers = new SingleFlight<Remembered<Descriptor>>();

  constructor(options: ListingsOptions) {
    this.#options = options;
  }

  async tags(repository: Repository): Promise<Listing<Tag>> {
    const { upstream, tags, now } = this.#options;
    const key = formatRepository(repository);
    const ask = () =>
      this.#askingTags.run(key, async () => {
        const { items } = await upstream(repository.host).tags(repository);
        const remembered = { items, checkedAt: now() };
        this.#tags.set(key, remembered);
        return remembered;
      });
    const known = this.#tags.get(key);
    if (known !== undefined) return this.#list(repository, key, known, ask);
    try {
      return { items: (await ask()).items, served: { result: 'miss' } };
    } catch (error) {
      // The tags that were pulled are some of them: better than nothing, but not worth a hurry.
      return this.#fallBack(repository, await tags.list(repository), error);
    }
  }

  async referrers(repository: Repository, digest: Digest): Promise<Listing<Descriptor>> {
    const { upstream, referrers, background, now } = this.#options;
    const key = formatReference(repository, digest);
    const known = this.#referrers.get(key) ?? (await referrers.get(repository, digest));
    const ask = () =>
      this.#askingReferrers.run(key, async () => {
        const { items } = await upstream(repository.host).referrers(repository, digest);
        const remembered = { items, checkedAt: now() };
        this.#referrers.set(key, remembered);
        // Anybody can ask about anything: only what is something, or was, is worth a file.
        if (items.length > 0 || (known !== undefined && known.items.length > 0)) {
          background.run(() => referrers.set(repository, digest, remembered));
        }
        return remembered;
      });
    try {
      if (known !== undefined) return await this.#list(repository, key, known, ask);
      return { items: (await ask()).items, served: { result: 'miss' } };
    } catch (error) {
      // Nothing refers to what does not exist: to a client that is an empty list, not an error.
      if (isUnknown(error)) return { items: [], served: { result: 'miss' } };
      throw error;
    }
  }

  /** What is remembered of the referrers gives way to what was written down. */
  renew(repository: Repository, digest: Digest): void {
    this.#referrers.delete(formatReference(repository, digest));
  }

  /** What upstreams have failed to say is asked again: they may be others by now. */
  reconsider(): void {
    this.#postponed.clear();
  }

  async #list<T>(
    repository: Repository,
    key: string,
    known: Remembered<T>,
    ask: () => Promise<Remembered<T>>,
  ): Promise<Listing<T>> {
    const rules = this.#options.policy(repository.host);
    const age = this.#options.now() - known.checkedAt;
    // What a clock that was ahead has noted is of no known age.
    if (age >= 0 && age < rules.freshFor) {
      return { items: known.items, served: { result: 'hit' } };
    }
    const stale = rules.whenUnreachable === 'serve-stale';
    const postponed = stale ? this.#postponed.reason(key) : undefined;
    // An empty list is no answer in place of an error: who looks for signatures would find that there are none.
    if (postponed !== undefined && (known.items.length > 0 || postponed === 'slow')) {
      return { items: known.items, served: { result: 'stale', detail: postponed } };
    }
    try {
      const asking = ask();
      const fresh = stale ? await within(asking, rules.revalidateWithin) : await asking;
      if (fresh !== LATE) return { items: fresh.items, served: { result: 'revalidated' } };
      this.#postponed.late(key, asking);
      return { items: known.items, served: { result: 'stale', detail: 'slow' } };
    } catch (error) {
      if (!isUnknown(error)) this.#postponed.failed(key, error);
      return this.#fallBack(repository, known.items, error);
    }
  }

  /** What is known in place of what could not be had, if the policy wants that and there is any. */
  #fallBack<T>({ host }: Repository, items: readonly T[], error: unknown): Listing<T> {
    const { whenDeleted, whenUnreachable } = this.#options.policy(host);
    const gone = isUnknown(error) && error.definitive;
    const wanted = gone ? whenDeleted === 'keep' : whenUnreachable === 'serve-stale';
    if (!wanted || items.length === 0) throw error;
    return { items, served: { result: 'stale', detail: gone ? 'gone' : reasonOf(error) } };
  }
}
