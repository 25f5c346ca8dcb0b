import type { Digest } from '../core/digest.ts';

/**
 * Tells whoever looks through all links which he may have missed: those that were on their way when he
 * began, and all that came since. Synchronous, so nothing comes between a link and word of it.
 */
export class LinkWatch {
  readonly #writing = new Map<Digest, number>();
  readonly #watchers = new Set<(digest: Digest) => void>();

  /** A link to the content is going to be there, or will have failed, when this is disposed. */
  linking(digest: Digest): Disposable {
    for (const tell of this.#watchers) tell(digest);
    this.#writing.set(digest, (this.#writing.get(digest) ?? 0) + 1);
    return {
      [Symbol.dispose]: () => {
        const left = (this.#writing.get(digest) ?? 1) - 1;
        if (left === 0) this.#writing.delete(digest);
        else this.#writing.set(digest, left);
      },
    };
  }

  /** From now on, until disposed; of each link at least once. */
  watch(tell: (digest: Digest) => void): Disposable {
    for (const digest of this.#writing.keys()) tell(digest);
    this.#watchers.add(tell);
    return { [Symbol.dispose]: () => void this.#watchers.delete(tell) };
  }
}
