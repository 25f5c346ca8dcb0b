/** Runs the tasks of a key one after the other, in the order they came: the last write is the one that stays. */
export class Serial {
  readonly #last = new Map<string, Promise<unknown>>();

  run<T>(key: string, task: () => Promise<T>): Promise<T> {
    const before = this.#last.get(key);
    const running = before === undefined ? task() : before.then(task, task);
    const settled = running.finally(() => {
      if (this.#last.get(key) === settled) this.#last.delete(key);
    });
    this.#last.set(key, settled);
    return settled;
  }

  /** Settles when everything that has been asked for by now is over, however it ended. */
  async passed(): Promise<void> {
    await Promise.allSettled(this.#last.values());
  }

  /** Runs the task in its turn at all of the keys, for which it waits in one order, whoever asks. */
  async runAll<T>(keys: readonly string[], task: () => Promise<T>): Promise<T> {
    const held: (() => void)[] = [];
    try {
      for (const key of [...new Set(keys)].toSorted()) held.push(await this.#take(key));
      return await task();
    } finally {
      for (const release of held) release();
    }
  }

  /** Settles when it is the caller's turn, which lasts until what it gives is called. */
  #take(key: string): Promise<() => void> {
    const turn = Promise.withResolvers<() => void>();
    const over = Promise.withResolvers<void>();
    void this.run(key, () => {
      turn.resolve(over.resolve);
      return over.promise;
    });
    return turn.promise;
  }
}
