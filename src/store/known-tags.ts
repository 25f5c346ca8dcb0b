import { LRUCache } from 'lru-cache';
import { formatReference } from '../core/reference.ts';
import type { NamedTag, TagRecord } from './tags.ts';

/** What is known of a tag; without a record, that it is not there. */
export interface Known {
  readonly record: TagRecord | undefined;
}

/** Records remembered in memory; each costs about a kilobyte. */
const REMEMBERED = 10_000;
/** Tags that are known not to be there. */
const ABSENCES = 1_000;

/** What tags mean, as far as it is remembered. */
export class KnownTags {
  readonly #records = new LRUCache<string, TagRecord>({ max: REMEMBERED });
  readonly #absences = new LRUCache<string, true>({ max: ABSENCES });
  #changes = 0;

  /** Grows with every change: what was read before one must not be learnt after it. */
  get changes(): number {
    return this.#changes;
  }

  get({ repository, tag }: NamedTag): Known | undefined {
    const key = formatReference(repository, tag);
    const record = this.#records.get(key);
    return record !== undefined || this.#absences.has(key) ? { record } : undefined;
  }

  /** What the disk has. */
  learn({ repository, tag }: NamedTag, record: TagRecord | undefined): void {
    const key = formatReference(repository, tag);
    if (record === undefined) {
      this.#records.delete(key);
      this.#absences.set(key, true);
    } else {
      this.#absences.delete(key);
      this.#records.set(key, record);
    }
  }

  /** What it means from now on; without a record, that it is no more. */
  change(named: NamedTag, record: TagRecord | undefined): void {
    this.#changes += 1;
    this.learn(named, record);
  }

  /** The disk has to be asked. */
  forget({ repository, tag }: NamedTag): void {
    this.#changes += 1;
    const key = formatReference(repository, tag);
    this.#records.delete(key);
    this.#absences.delete(key);
  }
}
