import type { Digest } from '../../core/digest.ts';

/** Who reads or writes what at the moment, so that nothing is removed from under anybody. */
export class Uses {
  readonly #counts = new Map<Digest, number>();
  readonly #removals = new Map<Digest, Promise<unknown>>();

  /**
   * Keeps the content from being removed, from this moment on until disposed. Await `removal` before
   * looking at the content: one may have begun.
   */
  begin(digest: Digest): Disposable {
    this.#counts.set(digest, (this.#counts.get(digest) ?? 0) + 1);
    let used = true;
    return {
      [Symbol.dispose]: () => {
        if (!used) return;
        used = false;
        const left = (this.#counts.get(digest) ?? 1) - 1;
        if (left === 0) this.#counts.delete(digest);
        else this.#counts.set(digest, left);
      },
    };
  }

  has(digest: Digest): boolean {
    return this.#counts.has(digest);
  }

  /** Settles when the removal that is under way has ended; `undefined` when none is. */
  removal(digest: Digest): Promise<unknown> | undefined {
    return this.#removals.get(digest);
  }

  /** Removes by `task` what nobody uses; `undefined`, without having called it, when somebody does. */
  async remove<T>(digest: Digest, task: () => Promise<T>): Promise<T | undefined> {
    if (this.#counts.has(digest) || this.#removals.has(digest)) return undefined;
    const running = task();
    this.#removals.set(
      digest,
      running.catch(() => {}),
    );
    try {
      return await running;
    } finally {
      this.#removals.delete(digest);
    }
  }
}
