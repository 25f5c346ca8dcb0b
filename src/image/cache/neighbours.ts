import { LRUCache } from 'lru-cache';
import type { NeighbourLost } from './neighbour.ts';
import type { Trust } from './partials.ts';

/** How many files are remembered that turned out to be of little use. */
const REMEMBERED = 1000;

/** What this process has found out about the files of others. */
export class Neighbours {
  readonly #known = new LRUCache<string, Exclude<Trust, 'followed'>>({ max: REMEMBERED });

  trust(name: string): Trust {
    return this.#known.get(name) ?? 'followed';
  }

  /** As `trust`, for who goes on alone: what there is is copied once. */
  alone(name: string): Trust {
    return this.#known.get(name) ?? 'copied';
  }

  /** One that stands still is not followed again; what it has is worth a copy. */
  lost({ file, reason }: NeighbourLost): void {
    if (reason === 'stalled' && !this.#known.has(file)) this.#known.set(file, 'copied');
  }

  /** It has been copied, or was wrong: another attempt does without. */
  used(name: string): void {
    this.#known.set(name, 'ignored');
  }
}
