/**
 * What was noted last about so many keys: beyond that, what was noted longest ago goes. For marks, not for
 * content: reading one does not keep it, and it loads nothing, for the sake of command lines.
 */
export class Recent<V> {
  readonly #most: number;
  readonly #marks = new Map<string, V>();

  constructor(most: number) {
    this.#most = most;
  }

  note(key: string, mark: V): void {
    this.#marks.delete(key);
    this.#marks.set(key, mark);
    if (this.#marks.size <= this.#most) return;
    for (const oldest of this.#marks.keys()) {
      this.#marks.delete(oldest);
      return;
    }
  }

  get(key: string): V | undefined {
    return this.#marks.get(key);
  }

  forget(key: string): void {
    this.#marks.delete(key);
  }
}
