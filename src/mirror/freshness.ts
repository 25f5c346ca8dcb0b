import { LRUCache } from 'lru-cache';
import type { Descriptor } from '../core/descriptor.ts';
import { isUnknown, RegistryError } from '../core/errors.ts';
import type { Resolution } from '../core/manifest.ts';
import { formatReference, type Repository, type Tag } from '../core/reference.ts';
import type { Served } from '../core/served.ts';
import { SingleFlight } from '../core/single-flight.ts';
import type { Source } from '../core/source.ts';
import { confirmed, type TagRecord, type TagStore } from '../store/tags.ts';
import type { Background } from './background.ts';
import { LATE, within } from './deadline.ts';
import type { MirrorEvent } from './event.ts';
import { Negative } from './negative.ts';
import type { TagPolicy } from './policy.ts';
import { reasonOf } from './reason.ts';

export interface FreshnessOptions {
  readonly upstream: (host: string) => Source;
  readonly tags: TagStore;
  readonly policy: (host: string) => TagPolicy;
  /** Whether the manifest is here: only then is a meaning worth recording. */
  readonly holds: (repository: Repository, descriptor: Descriptor) => Promise<boolean>;
  readonly observe: (event: MirrorEvent) => void;
  readonly background: Background;
  readonly now: () => number;
}

/** A meaning that the upstream has stated. Milliseconds since 1970. */
interface Heard {
  readonly descriptor: Descriptor;
  readonly checkedAt: number;
  readonly goneSince?: never;
}

type Word =
  | { readonly kind: 'same' | 'changed'; readonly descriptor: Descriptor }
  | { readonly kind: 'gone' | 'silent'; readonly error: unknown };

const REMEMBERED = 10_000;
/** Milliseconds for which an upstream that failed to answer is not asked again about the same tag. */
const POSTPONED = 5_000;

/** What a tag means, asked no more often than the policy wants, and never waited for in vain. */
export class Freshness {
  readonly #options: FreshnessOptions;
  readonly #asking = new SingleFlight<Word>();
  readonly #heard = new LRUCache<string, Heard>({ max: REMEMBERED });
  /** Of these, what is being put on record. */
  readonly #onItsWay = new WeakSet<Heard>();
  readonly #postponed = new LRUCache<string, string>({ max: REMEMBERED, ttl: POSTPONED });
  readonly #negative = new Negative();

  constructor(options: FreshnessOptions) {
    this.#options = options;
  }

  /** @throws RegistryError MANIFEST_UNKNOWN or NAME_UNKNOWN, or whatever kept the upstream from answering */
  async resolve(repository: Repository, tag: Tag): Promise<Resolution> {
    const { tags, now, policy } = this.#options;
    const key = formatReference(repository, tag);
    const rules = policy(repository.host);
    const record = await tags.get(repository, tag);
    const heard = this.#heard.get(key);
    for (const known of [heard, record]) {
      const left = known === undefined ? 0 : known.checkedAt + rules.freshFor - now();
      if (known !== undefined && left > 0) return fresh(known, left);
    }
    if (record === undefined) this.#negative.check(key);
    return record === undefined
      ? this.#first(repository, tag, rules)
      : this.#again(repository, tag, record, rules);
  }

  /** The meaning on record, to fall back on when a newer one cannot be had. */
  async earlier(repository: Repository, tag: Tag): Promise<Resolution | undefined> {
    const record = await this.#options.tags.get(repository, tag);
    if (this.#options.policy(repository.host).whenUnreachable === 'fail') return undefined;
    return record && stale(record, 'unreachable');
  }

  /** The manifest for a meaning that the upstream has just stated is here: it goes on record. */
  record(repository: Repository, tag: Tag, descriptor: Descriptor): void {
    if (this.#heard.size === 0) return;
    const heard = this.#heard.get(formatReference(repository, tag));
    if (heard === undefined || this.#onItsWay.has(heard)) return;
    this.#confirm(repository, tag, { ...heard, descriptor });
  }

  /** What upstreams have refused or failed to say is asked again: they may be others by now. */
  reconsider(): void {
    this.#negative.clear();
    this.#postponed.clear();
  }

  async #first(repository: Repository, tag: Tag, rules: TagPolicy): Promise<Resolution> {
    const key = formatReference(repository, tag);
    const joined = this.#asking.has(key);
    const word = await this.#ask(repository, tag, undefined);
    switch (word.kind) {
      case 'same':
      case 'changed':
        return answer(word.descriptor, {
          result: joined ? 'joined' : 'miss',
          ...ttl(rules.freshFor),
        });
      case 'gone':
      case 'silent':
        this.#negative.note(key, word.error, rules.notFoundFor);
        throw word.error;
    }
  }

  async #again(
    repository: Repository,
    tag: Tag,
    record: TagRecord,
    rules: TagPolicy,
  ): Promise<Resolution> {
    const postponed = this.#postponed.get(formatReference(repository, tag));
    if (postponed !== undefined && rules.whenUnreachable === 'serve-stale') {
      return this.#serveStale(repository, record, postponed);
    }
    const asking = this.#ask(repository, tag, record);
    const word =
      rules.whenUnreachable === 'fail'
        ? await asking
        : await within(asking, rules.revalidateWithin);
    if (word === LATE) {
      this.#postponed.set(formatReference(repository, tag), 'slow');
      return this.#serveStale(repository, record, 'slow');
    }
    switch (word.kind) {
      case 'same':
        return answer(word.descriptor, { result: 'revalidated', ...ttl(rules.freshFor) });
      case 'changed':
        return answer(word.descriptor, {
          result: 'miss',
          detail: 'changed',
          ...ttl(rules.freshFor),
        });
      case 'gone':
        if (rules.whenDeleted === 'follow') throw word.error;
        return stale({ ...record, goneSince: record.goneSince ?? this.#options.now() }, 'gone');
      case 'silent':
        if (rules.whenUnreachable === 'fail') throw word.error;
        return this.#serveStale(repository, record, reasonOf(word.error));
    }
  }

  #serveStale({ host }: Repository, record: TagRecord, detail: string): Resolution {
    this.#options.observe({ type: 'revalidated', host, result: 'stale-served' });
    return stale(record, detail);
  }

  /** Asks the upstream, once at a time for each tag, and notes what it says. */
  #ask(repository: Repository, tag: Tag, record: TagRecord | undefined): Promise<Word> {
    return this.#asking.run(formatReference(repository, tag), async () => {
      const word = await this.#listen(repository, tag, record);
      await this.#note(repository, tag, record, word);
      if (record !== undefined) {
        const result =
          word.kind === 'same' ? 'unchanged' : word.kind === 'silent' ? 'error' : word.kind;
        const { host } = repository;
        this.#options.observe({ type: 'revalidated', host, result });
        if (word.kind === 'changed') {
          const { digest } = word.descriptor;
          this.#options.observe({ type: 'tag-moved', host, repository, tag, digest });
        }
      }
      return word;
    });
  }

  async #listen({ host, path }: Repository, tag: Tag, record?: TagRecord): Promise<Word> {
    try {
      const { descriptor } = await this.#options.upstream(host).resolve({ host, path }, tag);
      const same = descriptor.digest === record?.descriptor.digest;
      return same
        ? { kind: 'same', descriptor: record.descriptor }
        : { kind: 'changed', descriptor };
    } catch (error) {
      const gone = isUnknown(error) && error.definitive;
      return { kind: gone ? 'gone' : 'silent', error };
    }
  }

  async #note(
    repository: Repository,
    tag: Tag,
    record: TagRecord | undefined,
    word: Word,
  ): Promise<void> {
    const { tags, holds, policy, background, now } = this.#options;
    const key = formatReference(repository, tag);
    switch (word.kind) {
      case 'same':
      case 'changed': {
        const heard = { descriptor: word.descriptor, checkedAt: now() };
        if (await holds(repository, word.descriptor)) this.#confirm(repository, tag, heard);
        else this.#heard.set(key, heard);
        return;
      }
      case 'gone':
        if (record === undefined) return;
        if (policy(repository.host).whenDeleted === 'follow') {
          background.run(() => tags.remove(repository, tag));
        } else {
          background.run(() =>
            // It may mean something else by now, which somebody has brought while the upstream was asked.
            tags.update(
              repository,
              tag,
              (found) =>
                found && { ...found, goneSince: found.goneSince ?? now(), checkedAt: now() },
            ),
          );
        }
        return;
      case 'silent':
        if (word.error instanceof RegistryError) this.#postponed.set(key, reasonOf(word.error));
    }
  }

  /** Puts the meaning on record. Until it is there, it is known all the same. */
  #confirm(repository: Repository, tag: Tag, heard: Heard): void {
    const { tags, background } = this.#options;
    const { descriptor, checkedAt } = heard;
    const key = formatReference(repository, tag);
    this.#heard.set(key, heard);
    this.#onItsWay.add(heard);
    background.run(async () => {
      try {
        await tags.update(repository, tag, (found) => confirmed(found, descriptor, checkedAt));
      } finally {
        if (this.#heard.get(key) === heard) this.#heard.delete(key);
      }
    });
  }
}

function answer(descriptor: Descriptor, served: Served): Resolution {
  return { descriptor, served };
}

function fresh(known: Heard | TagRecord, left: number): Resolution {
  if (known.goneSince !== undefined) return stale(known, 'gone');
  return answer(known.descriptor, { result: 'hit', ...ttl(left) });
}

function stale(record: Pick<TagRecord, 'descriptor' | 'goneSince'>, detail: string): Resolution {
  const { descriptor, goneSince } = record;
  if (goneSince === undefined) return { descriptor, served: { result: 'stale', detail } };
  const since = new Date(goneSince).toISOString();
  const warning = `the upstream no longer has this tag (noticed ${since}); served from the cache`;
  return { descriptor, served: { result: 'stale', detail: 'gone', warning } };
}

function ttl(milliseconds: number): { ttl?: number } {
  return Number.isFinite(milliseconds) ? { ttl: Math.ceil(milliseconds / 1000) } : {};
}
