import type { Collected } from './collect.ts';
import type { Keep } from './mark.ts';

/** What one collection came to. */
export interface Collection {
  /** What repositories hold no more, and the content that went with it. */
  readonly manifests: number;
  readonly blobs: number;
  readonly freed: number;
  readonly freedBytes: number;
  /** Content that would have gone, and that somebody used: the next collection looks at it again. */
  readonly inUse: number;
  readonly inUseBytes: number;
  /** What repositories go on holding, by reason. */
  readonly kept: Readonly<Partial<Record<Keep, number>>>;
}

/** Adds up what a collection finds. */
export class CollectionSum {
  readonly #counted = { manifests: 0, blobs: 0, freed: 0, freedBytes: 0, inUse: 0, inUseBytes: 0 };
  readonly #kept: Partial<Record<Keep, number>> = {};

  get collection(): Collection {
    return { ...this.#counted, kept: { ...this.#kept } };
  }

  add(one: Collected): void {
    switch (one.type) {
      case 'removed':
        this.#counted[one.kind === 'manifest' ? 'manifests' : 'blobs'] += 1;
        break;
      case 'kept':
        for (const [why, count] of one.reasons) this.#kept[why] = (this.#kept[why] ?? 0) + count;
        break;
      case 'freed':
        this.#counted.freed += 1;
        this.#counted.freedBytes += one.size;
        break;
      case 'in-use':
        this.#counted.inUse += 1;
        this.#counted.inUseBytes += one.size;
        break;
    }
  }
}

/** Runs a collection to its end, and counts. */
export async function summed(found: AsyncIterable<Collected>): Promise<Collection> {
  const sum = new CollectionSum();
  for await (const one of found) sum.add(one);
  return sum.collection;
}

/** What a collection found, to be written as JSON. */
export function collectedLine(one: Collected): object {
  if (one.type === 'freed' || one.type === 'in-use') return one;
  const { repository, ...rest } = one;
  const reasons = 'reasons' in rest && { reasons: Object.fromEntries(rest.reasons) };
  return { ...rest, repository: repository.path, ...reasons };
}
