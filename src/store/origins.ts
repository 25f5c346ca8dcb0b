import { same, type Repository } from '../core/reference.ts';
import type { Source } from '../core/source.ts';

/** A repository that holds a blob, and where to ask for it. */
export interface Origin {
  readonly repository: Repository;
  readonly upstream: Source;
}

/** Everywhere a blob is known to be. One is asked until it fails, then the next. */
export class Origins {
  readonly #others: Origin[] = [];
  readonly #dropped: Repository[] = [];
  #asked: Origin;

  constructor(first: Origin) {
    this.#asked = first;
  }

  get asked(): Origin {
    return this.#asked;
  }

  get repositories(): readonly Repository[] {
    return [this.#asked, ...this.#others].map(({ repository }) => repository);
  }

  add(origin: Origin): void {
    const known = [...this.repositories, ...this.#dropped];
    if (known.some((repository) => same(repository, origin.repository))) return;
    this.#others.push(origin);
  }

  /** The one that was asked has failed: it comes last from now on. */
  turn(): void {
    const next = this.#others.shift();
    if (next === undefined) return;
    this.#others.push(this.#asked);
    this.#asked = next;
  }

  /** The one that was asked will not give it: it is not asked again. `false` where it is the only one. */
  drop(): boolean {
    const next = this.#others.shift();
    if (next === undefined) return false;
    this.#dropped.push(this.#asked.repository);
    this.#asked = next;
    return true;
  }
}
