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

  /** Runs the task in its turn at all of the keys, which it waits for in one order, whoever asks. */
  runAll<T>(keys: readonly string[], task: () => Promise<T>): Promise<T> {
    const ordered = [...new Set(keys)].toSorted();
    return ordered.reduceRight<() => Promise<T>>(
      (inner, key) => () => this.run(key, inner),
      task,
    )();
  }
}
