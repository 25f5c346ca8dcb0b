/** Waits for the disk in the background: many small files at once, while the next large one comes. */
export class Commits implements AsyncDisposable {
  readonly #running = new Set<Promise<void>>();
  #failure: { readonly error: unknown } | undefined;

  /** Begins it; settles when there is a place for another. @throws what an earlier one has thrown */
  async add(commit: () => Promise<void>): Promise<void> {
    const running = commit()
      .catch((error: unknown) => {
        this.#failure ??= { error };
      })
      .finally(() => this.#running.delete(running));
    this.#running.add(running);
    if (this.#running.size >= MOST) await Promise.race(this.#running);
    this.#check();
  }

  /** @throws what one of them has thrown */
  async settled(): Promise<void> {
    await Promise.all(this.#running);
    this.#check();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#running);
  }

  #check(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }
}

const MOST = 8;
