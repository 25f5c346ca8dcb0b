/** What waits for the end of the turn of the event loop. */
export interface Leaving {
  /** Must not throw: others wait behind it. */
  leave(): void;
}

/**
 * Lets small answers of one turn of the event loop leave together, once all requests that were there at
 * its beginning have been read: handing each to the system at once wakes its reader each time, which
 * costs more than making the answer. Nothing waits for requests that are still to come.
 */
export class Turn {
  #waiting: Leaving[] = [];

  /** In the order of the calls. */
  atEnd(leaving: Leaving): void {
    if (this.#waiting.push(leaving) === 1) setImmediate(this.#end);
  }

  readonly #end = (): void => {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const leaving of waiting) leaving.leave();
  };
}
