import type { Deadline } from './clock.ts';

/** So many at a time, first come, first served. */
export class Lane {
  readonly #width: number;
  readonly #changed: () => void;
  readonly #queue: (() => void)[] = [];
  #inFlight = 0;

  constructor(width: number, changed: () => void = () => {}) {
    this.#width = width;
    this.#changed = changed;
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  get waiting(): number {
    return this.#queue.length;
  }

  /** Waits for a place, which disposing gives back; `undefined` if the deadline comes first. */
  async enter(deadline: Deadline): Promise<Disposable | undefined> {
    if (this.#inFlight < this.#width) {
      this.#inFlight += 1;
      this.#changed();
    } else if (!(await this.#handedOver(deadline))) return undefined;
    let held = true;
    return {
      [Symbol.dispose]: () => {
        if (!held) return;
        held = false;
        this.#leave();
      },
    };
  }

  /** A place goes from hand to hand, so that nobody who comes in between can take it. */
  async #handedOver(deadline: Deadline): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const timer = setTimeout(() => {
      this.#queue.splice(this.#queue.indexOf(admit), 1);
      this.#changed();
      resolve(false);
    }, deadline.remaining);
    const admit = (): void => {
      clearTimeout(timer);
      resolve(true);
    };
    this.#queue.push(admit);
    this.#changed();
    return await promise;
  }

  #leave(): void {
    const next = this.#queue.shift();
    if (next === undefined) this.#inFlight -= 1;
    else next();
    this.#changed();
  }
}
