import type { Digest } from '../core/digest.ts';
import { formatReference, formatRepository, type Repository } from '../core/reference.ts';
import type { Dated } from '../store/budget/past.ts';
import type { Records } from '../store/records.ts';
import { Serial } from '../store/serial.ts';
import type { ContentStore } from '../store/store.ts';
import type { UploadStore } from '../store/uploads.ts';

/**
 * Who may change what at a time. A repository's lock is taken first, then a digest's; of several of a
 * kind in one order, so that no two wait for each other.
 * - A repository: its tags, its referrers, and any removal of a link.
 * - A digest: any change of a link to it, its becoming content, and its removal from the content.
 */
export class Locks {
  readonly #repositories = new Serial();
  readonly #digests = new Serial();

  repository<T>(repository: Repository, task: () => Promise<T>): Promise<T> {
    return this.#repositories.run(formatRepository(repository), task);
  }

  digest<T>(digest: Digest, task: () => Promise<T>): Promise<T> {
    return this.#digests.run(digest, task);
  }

  /** Settles when nobody has a digest's lock any more who has it, or waits for it, by now. */
  digestsPassed(): Promise<void> {
    return this.#digests.passed();
  }

  all<T>({ repositories, digests }: Locked, task: () => Promise<T>): Promise<T> {
    const inner = (): Promise<T> => this.#digests.runAll(digests, task);
    return this.#repositories.runAll(repositories.map(formatRepository), inner);
  }
}

/** What is locked at once. */
export interface Locked {
  readonly repositories: readonly Repository[];
  readonly digests: readonly Digest[];
}

/** What everything here works on. */
export interface Parts {
  readonly records: Records;
  readonly content: ContentStore;
  readonly uploads: UploadStore;
  readonly locks: Locks;
  /** What is being collected at the moment, and what was linked meanwhile. */
  readonly watch: Watch;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** How old what is dated by that is. */
  readonly dated: Dated;
}

/**
 * Keeps a collection that runs and everybody else from missing each other. All of it is
 * synchronous, so nothing comes between a look and the note of it.
 */
export class Watch {
  readonly #generations = new Map<string, number>();
  /** Digests that were linked while the content is being looked through. */
  #linked: Set<Digest> | undefined;
  readonly #condemned = new Set<string>();
  readonly #onHeld: ((digest: Digest) => void) | undefined;
  #removals = 0;

  constructor(onHeld?: (digest: Digest) => void) {
    this.#onHeld = onHeld;
  }

  /** From now on, until disposed, changes and links are noted. */
  begin(): Disposable {
    this.#linked = new Set();
    return {
      [Symbol.dispose]: () => {
        this.#linked = undefined;
        this.#generations.clear();
      },
    };
  }

  /** Grows with every change of the repository's tags and manifests while a collection runs. */
  generation(repository: Repository): number {
    return this.#generations.get(formatRepository(repository)) ?? 0;
  }

  /** Called under the repository's lock, once the change is there. */
  changed(repository: Repository): void {
    if (this.#linked === undefined) return;
    this.#generations.set(formatRepository(repository), this.generation(repository) + 1);
  }

  /** Called under the digest's lock, before the link is there. */
  linking(digest: Digest): void {
    this.#linked?.add(digest);
    this.#onHeld?.(digest);
  }

  linkedMeanwhile(digest: Digest): boolean {
    return this.#linked?.has(digest) ?? false;
  }

  /** Links that were condemned since the start, whatever became of them. */
  get removals(): number {
    return this.#removals;
  }

  /** Until disposed nobody believes the link, so that it can be looked at once more and removed. */
  condemn(repository: Repository, digest: Digest): Disposable {
    const key = formatReference(repository, digest);
    this.#condemned.add(key);
    return {
      [Symbol.dispose]: () => {
        this.#condemned.delete(key);
        this.#removals += 1;
      },
    };
  }

  condemned(repository: Repository, digest: Digest): boolean {
    return this.#condemned.has(formatReference(repository, digest));
  }
}
