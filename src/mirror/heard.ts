import { LRUCache } from 'lru-cache';
import type { Descriptor } from '../core/descriptor.ts';
import { formatReference, type Repository, type Tag } from '../core/reference.ts';
import { askedAt, confirmed, type TagStore } from '../store/tags.ts';
import type { Background } from './background.ts';

export interface HeardOptions {
  readonly tags: TagStore;
  readonly background: Background;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** A meaning that the upstream has stated. Milliseconds since 1970. */
export interface Meaning {
  readonly repository: Repository;
  readonly tag: Tag;
  /** As it was stated, or of the manifest itself once that is stored. */
  descriptor: Descriptor;
  readonly firstSeen: number;
  readonly checkedAt: number;
  readonly goneSince?: never;
  /** `unwritten`: it was to go on record, and could not. */
  state: 'heard' | 'writing' | 'unwritten';
  /** When that was. */
  failedAt?: number;
}

const REMEMBERED = 10_000;
/** Milliseconds after which writing down is tried again: those who ask are many. */
const WRITTEN_AGAIN = 5_000;

/**
 * What tags were said to mean, until the manifest is stored: then it goes on record, whoever fetched
 * it and by whichever name. Clients ask with HEAD by tag and then with GET by digest.
 */
export class Heard {
  readonly #options: HeardOptions;
  readonly #byTag = new LRUCache<string, Meaning>({
    max: REMEMBERED,
    dispose: (meaning) => this.#unlist(meaning),
  });
  readonly #byDigest = new Map<string, Set<Meaning>>();

  constructor(options: HeardOptions) {
    this.#options = options;
  }

  /** By the reference as text. */
  get(key: string): Meaning | undefined {
    return this.#byTag.get(key);
  }

  /** The upstream said so at `now`. */
  note(repository: Repository, tag: Tag, descriptor: Descriptor, now: number): void {
    const key = formatReference(repository, tag);
    const before = this.#byTag.get(key);
    if (before !== undefined && before.checkedAt > now && !this.#isAhead(before)) return;
    const same = before?.descriptor.digest === descriptor.digest;
    const firstSeen = same ? before.firstSeen : now;
    const meaning: Meaning = {
      repository,
      tag,
      descriptor,
      firstSeen,
      checkedAt: now,
      state: 'heard',
    };
    this.#byTag.set(key, meaning);
    const reference = formatReference(repository, descriptor.digest);
    const listed = this.#byDigest.get(reference);
    if (listed === undefined) this.#byDigest.set(reference, new Set([meaning]));
    else listed.add(meaning);
  }

  forget(key: string): void {
    this.#byTag.delete(key);
  }

  /**
   * The manifest is stored: every tag of the repository that was said to mean it goes on record. Settles
   * when they have, or have failed to.
   */
  async kept(repository: Repository, descriptor: Descriptor): Promise<void> {
    const listed = this.#byDigest.get(formatReference(repository, descriptor.digest)) ?? [];
    const written = [];
    for (const meaning of listed) {
      if (meaning.state === 'writing' || this.#failedJustNow(meaning)) continue;
      written.push(this.#options.background.done(() => this.#write(meaning, descriptor)));
    }
    await Promise.all(written);
  }

  /** A last attempt for what could not be written. */
  async close(): Promise<void> {
    const unwritten = [...this.#byTag.values()].filter(({ state }) => state === 'unwritten');
    for (const meaning of unwritten) {
      await this.#options.background.done(() => this.#write(meaning, meaning.descriptor));
    }
  }

  async #write(meaning: Meaning, descriptor: Descriptor): Promise<void> {
    const { repository, tag, checkedAt, firstSeen } = meaning;
    const key = formatReference(repository, tag);
    meaning.state = 'writing';
    meaning.descriptor = descriptor;
    try {
      await this.#options.tags.update(repository, tag, (record) =>
        record !== undefined && askedAt(record, this.#options.now()) > checkedAt
          ? undefined
          : confirmed(record, descriptor, checkedAt, firstSeen),
      );
      // Not before it is there: whoever asks meanwhile finds one or the other.
      if (this.#byTag.peek(key) === meaning) this.#byTag.delete(key);
    } catch (error) {
      meaning.state = 'unwritten';
      meaning.failedAt = this.#options.now();
      throw error;
    }
  }

  #failedJustNow({ failedAt }: Meaning): boolean {
    return failedAt !== undefined && this.#options.now() - failedAt < WRITTEN_AGAIN;
  }

  /** Stated by a clock that has been set back since. */
  #isAhead({ checkedAt }: Meaning): boolean {
    return checkedAt > this.#options.now();
  }

  #unlist(meaning: Meaning): void {
    const { repository, descriptor } = meaning;
    const reference = formatReference(repository, descriptor.digest);
    const listed = this.#byDigest.get(reference);
    listed?.delete(meaning);
    if (listed?.size === 0) this.#byDigest.delete(reference);
  }
}
