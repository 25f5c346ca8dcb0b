/** Runs at most one task a key at a time; whoever asks meanwhile gets the same outcome. */
export class SingleFlight<T> {
  readonly #running = new Map<string, Promise<T>>();

  /** Whether a task for the key is under way. */
  has(key: string): boolean {
    return this.#running.has(key);
  }

  run(key: string, task: () => Promise<T>): Promise<T> {
    const running = this.#running.get(key);
    if (running !== undefined) return running;
    const started = task().finally(() => this.#running.delete(key));
    this.#running.set(key, started);
    return started;
  }
}
