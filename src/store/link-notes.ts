import type { Digest } from '../core/digest.ts';

/** What has got a link, or has been about to, since this was begun. */
export interface LinkNotes extends Disposable {
  has(digest: Digest): boolean;
}

/**
 * Tells whoever looks through all links which he may have missed: those that were on their way when he
 * began, and all that came since. Synchronous, so nothing comes between a link and the note of it.
 */
export class LinkWatch {
  readonly #writing = new Map<Digest, number>();
  readonly #notes = new Set<Set<Digest>>();

  /** A link to the content is going to be there, or will have failed, when this is disposed. */
  linking(digest: Digest): Disposable {
    for (const noted of this.#notes) noted.add(digest);
    this.#writing.set(digest, (this.#writing.get(digest) ?? 0) + 1);
    return {
      [Symbol.dispose]: () => {
        const left = (this.#writing.get(digest) ?? 1) - 1;
        if (left === 0) this.#writing.delete(digest);
        else this.#writing.set(digest, left);
      },
    };
  }

  /** From now on, until disposed. */
  note(): LinkNotes {
    const noted = new Set(this.#writing.keys());
    this.#notes.add(noted);
    return {
      has: (digest) => noted.has(digest),
      [Symbol.dispose]: () => void this.#notes.delete(noted),
    };
  }
}
