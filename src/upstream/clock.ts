import { setTimeout as after } from 'node:timers/promises';

/** Time, so that tests need not wait for it. Milliseconds. */
export interface Clock {
  now(): number;
  sleep(milliseconds: number): Promise<void>;
}

export const systemClock: Clock = {
  now: () => performance.now(),
  sleep: async (milliseconds) => {
    await after(milliseconds);
  },
};

/** By when a call must have its answer, in spite of retries, redirects and other endpoints. */
export class Deadline {
  readonly #clock: Clock;
  readonly #end: number;

  constructor(clock: Clock, milliseconds: number) {
    this.#clock = clock;
    this.#end = clock.now() + milliseconds;
  }

  /** Milliseconds; 0 when it has passed. */
  get remaining(): number {
    return Math.max(0, this.#end - this.#clock.now());
  }

  /** In that many milliseconds, or at this one, whichever is nearer. */
  within(milliseconds: number): Deadline {
    return new Deadline(this.#clock, Math.min(milliseconds, this.remaining));
  }

  /** A nearer one that leaves `others` further attempts an equal share. */
  share(others: number): Deadline {
    return new Deadline(this.#clock, this.remaining / (others + 1));
  }
}
