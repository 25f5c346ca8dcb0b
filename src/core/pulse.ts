/** Wakes everyone who waits, each time it is given. */
export class Pulse {
  #next: PromiseWithResolvers<void> | undefined;

  wait(): Promise<void> {
    this.#next ??= Promise.withResolvers<void>();
    return this.#next.promise;
  }

  give(): void {
    const waiting = this.#next;
    this.#next = undefined;
    waiting?.resolve();
  }
}
