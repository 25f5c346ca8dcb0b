import type { Digest } from '../../core/digest.ts';
import type { Shelf } from './shelf.ts';

/**
 * Content that has to stay while an import goes on, and which of it came with the import: that is removed
 * again unless it was settled, which every import that has not failed does. Until this is disposed nobody
 * else removes any of it.
 */
export class Held implements AsyncDisposable {
  readonly #shelf: Shelf;
  readonly #fresh = new Set<Digest>();
  readonly #uses = new Map<Digest, Disposable>();

  constructor(shelf: Shelf) {
    this.#shelf = shelf;
  }

  /** Settles when a removal that had begun is over. */
  async hold(digest: Digest): Promise<void> {
    if (this.#uses.has(digest)) return;
    const { uses } = this.#shelf;
    this.#uses.set(digest, uses.begin(digest));
    await uses.removal(digest);
  }

  /** It is there by way of this import. */
  bring(digest: Digest): void {
    this.#fresh.add(digest);
  }

  isFresh(digest: Digest): boolean {
    return this.#fresh.has(digest);
  }

  /** The content is led to from now on. Tells whether it came with the import. */
  settle(digest: Digest): boolean {
    return this.#fresh.delete(digest);
  }

  /** Removes what came with the import and is not wanted. */
  async drop(isWanted: (digest: Digest) => boolean): Promise<void> {
    for (const digest of this.#fresh) if (!isWanted(digest)) await this.#discard(digest);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Something has failed already, which is what is to be told. What cannot be removed now has nothing
    // that leads to it, as after a crash, and goes like that.
    for (const digest of this.#fresh) await this.#discard(digest).catch(() => {});
    for (const use of this.#uses.values()) use[Symbol.dispose]();
    this.#uses.clear();
  }

  async #discard(digest: Digest): Promise<void> {
    this.#uses.get(digest)?.[Symbol.dispose]();
    this.#uses.delete(digest);
    this.#fresh.delete(digest);
    await this.#shelf.discard(digest);
  }
}
