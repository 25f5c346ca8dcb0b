import type { Descriptor } from '../core/descriptor.ts';
import type { Resolution } from '../core/manifest.ts';
import { formatReference, type Repository, type Tag } from '../core/reference.ts';
import type { Served } from '../core/served.ts';
import { askedAt, confirmed, gone, type TagRecord } from '../store/tags.ts';
import { Asking, type AskingOptions, type Known, type Word } from './asking.ts';
import { LATE, within } from './deadline.ts';
import type { Meaning } from './heard.ts';
import { Negative } from './negative.ts';
import type { TagPolicy } from './policy.ts';
import { Postponed } from './postponed.ts';
import { reasonOf } from './reason.ts';

export type FreshnessOptions = Omit<AskingOptions, 'postponed'>;

/** What a tag means, asked no more often than the policy wants, and never waited for in vain. */
export class Freshness {
  readonly #options: FreshnessOptions;
  readonly #asking: Asking;
  readonly #postponed = new Postponed();
  readonly #negative = new Negative();

  constructor(options: FreshnessOptions) {
    this.#options = options;
    this.#asking = new Asking({ ...options, postponed: this.#postponed });
  }

  /** @throws RegistryError MANIFEST_UNKNOWN or NAME_UNKNOWN, or whatever kept the upstream from answering */
  async resolve(repository: Repository, tag: Tag): Promise<Resolution> {
    const { tags, heard: all, policy } = this.#options;
    const rules = policy(repository.host);
    const record = await tags.get(repository, tag);
    const heard = all.get(formatReference(repository, tag));
    const latest = newer(heard, record, this.#options.now());
    const fresh = this.#believed(latest, rules);
    if (fresh !== undefined) return fresh;
    const known = await this.#known(repository, record, latest === heard ? heard : undefined);
    return known.record !== undefined && known.held
      ? this.#again(repository, tag, known.record, rules)
      : this.#first(repository, tag, known.record, rules);
  }

  /** What the tag means as far as nobody needs to be asked. */
  async latest(repository: Repository, tag: Tag): Promise<Resolution | undefined> {
    const { tags, heard, policy, now } = this.#options;
    const record = await tags.get(repository, tag);
    const latest = newer(heard.get(formatReference(repository, tag)), record, now());
    return this.#believed(latest, policy(repository.host));
  }

  /** The upstream has said otherwise than by `resolve` what the tag means. */
  async told(
    repository: Repository,
    tag: Tag,
    descriptor: Descriptor,
    at = this.#options.now(),
  ): Promise<void> {
    const { tags, manifests } = this.#options;
    const record = await tags.get(repository, tag);
    const before = record?.descriptor.digest;
    const held = before !== undefined && (await manifests.held(repository, before)) !== undefined;
    await this.#asking.note(repository, tag, descriptor, at);
    if (before !== descriptor.digest && held) this.#asking.moved(repository, tag, descriptor);
  }

  /** What to answer when the manifest of what the tag means cannot be had: an earlier one that is here. */
  async earlier(
    repository: Repository,
    tag: Tag,
    vain: Descriptor,
    error: unknown,
  ): Promise<Resolution | undefined> {
    const { tags, heard, manifests, policy } = this.#options;
    if (policy(repository.host).whenUnreachable === 'fail') return undefined;
    const record = await tags.get(repository, tag);
    if (record === undefined || record.descriptor.digest === vain.digest) return undefined;
    if ((await manifests.held(repository, record.descriptor.digest)) === undefined) {
      return undefined;
    }
    const key = formatReference(repository, tag);
    heard.forget(key);
    this.#postponed.failed(key, error);
    return this.#serveStale(repository, record, reasonOf(error));
  }

  /** What upstreams have refused or failed to say is asked again: they may be others by now. */
  reconsider(): void {
    this.#negative.clear();
    this.#postponed.clear();
  }

  #believed(
    latest: Meaning | TagRecord | undefined,
    { freshFor }: TagPolicy,
  ): Resolution | undefined {
    const now = this.#options.now();
    const left = latest === undefined ? 0 : askedAt(latest, now) + freshFor - now;
    if (latest === undefined || left <= 0) return undefined;
    if (latest.goneSince !== undefined) return stale(latest, 'gone');
    return answer(latest.descriptor, { result: 'hit', ...ttl(left) });
  }

  /** `latest`: what the upstream has stated after what is on record. */
  async #known(
    repository: Repository,
    record: TagRecord | undefined,
    latest: Meaning | undefined,
  ): Promise<Known> {
    const { heard, manifests } = this.#options;
    if (latest !== undefined) {
      const { descriptor, checkedAt, firstSeen } = latest;
      if ((await manifests.held(repository, descriptor.digest)) !== undefined) {
        // It came by a way that does not tell of it, or could not be written down.
        if (await manifests.kept(repository, descriptor.digest))
          void heard.kept(repository, descriptor);
        return { record: confirmed(record, descriptor, checkedAt, firstSeen), held: true };
      }
    }
    if (record === undefined) return { record, held: false };
    const held = await manifests.held(repository, record.descriptor.digest);
    return { record, held: held !== undefined };
  }

  /** With nothing to fall back on. */
  async #first(
    repository: Repository,
    tag: Tag,
    record: TagRecord | undefined,
    rules: TagPolicy,
  ): Promise<Resolution> {
    const key = formatReference(repository, tag);
    this.#negative.check(key);
    const joined = this.#asking.has(key);
    const word = await this.#asking.ask(repository, tag, { record, held: false });
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
    const key = formatReference(repository, tag);
    const postponed = this.#postponed.reason(key);
    if (postponed !== undefined && rules.whenUnreachable === 'serve-stale') {
      return this.#serveStale(repository, record, postponed);
    }
    const asking = this.#asking.ask(repository, tag, { record, held: true });
    const word =
      rules.whenUnreachable === 'fail'
        ? await asking
        : await within(asking, rules.revalidateWithin);
    if (word === LATE) {
      this.#postponed.late(key, spoken(asking));
      return this.#serveStale(repository, record, 'slow');
    }
    switch (word.kind) {
      case 'same':
        return answer(word.descriptor, { result: 'revalidated', ...ttl(rules.freshFor) });
      case 'changed':
        return answer(word.descriptor, {
          result: 'miss',
          detail: 'changed',
          ...(word.stored && { stored: true }),
          ...ttl(rules.freshFor),
        });
      case 'gone':
        if (rules.whenDeleted === 'follow') throw word.error;
        return stale(gone(record, this.#options.now()), 'gone');
      case 'silent':
        if (rules.whenUnreachable === 'fail') throw word.error;
        return this.#serveStale(repository, record, reasonOf(word.error));
    }
  }

  #serveStale({ host }: Repository, record: TagRecord, detail: string): Resolution {
    this.#options.observe({ type: 'revalidated', host, result: 'stale-served' });
    return stale(record, detail);
  }
}

/** The word of an upstream that says something; as a failure if it does not. */
async function spoken(asking: Promise<Word>): Promise<void> {
  const word = await asking;
  if (word.kind === 'silent') throw word.error;
}

function newer(
  heard: Meaning | undefined,
  record: TagRecord | undefined,
  now: number,
): Meaning | TagRecord | undefined {
  if (heard === undefined) return record;
  return record === undefined || heard.checkedAt >= askedAt(record, now) ? heard : record;
}

function answer(descriptor: Descriptor, served: Served): Resolution {
  return { descriptor, served };
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
