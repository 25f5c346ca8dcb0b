import type { Clock } from './clock.ts';

/** Why nothing is sent, and for how many seconds more. */
export interface Pause {
  readonly reason: 'limited' | 'down';
  readonly seconds: number;
}

const FAILURES_TO_OPEN = 5;
const FIRST_PAUSE = 2_000;
const LONGEST_PAUSE = 60_000;

/**
 * Keeps requests from an endpoint that asked for a pause, or that cannot be reached. After a row of
 * failures one request at a time finds out whether it is back, in growing intervals.
 */
export class Circuit {
  readonly #clock: Clock;
  readonly #changed: (open: boolean) => void;
  #limitedUntil = 0;
  #downUntil = 0;
  #failures = 0;
  #pause = FIRST_PAUSE;
  #open = false;

  constructor(clock: Clock, changed: (open: boolean) => void) {
    this.#clock = clock;
    this.#changed = changed;
  }

  /** `undefined` when a request may go out; that request then tells how it went. */
  enter(): Pause | undefined {
    const now = this.#clock.now();
    if (now < this.#limitedUntil) {
      return { reason: 'limited', seconds: Math.ceil((this.#limitedUntil - now) / 1000) };
    }
    if (this.#failures >= FAILURES_TO_OPEN) {
      if (now < this.#downUntil) {
        return { reason: 'down', seconds: Math.ceil((this.#downUntil - now) / 1000) };
      }
      // This request is the probe; should it never report, the next may go after another pause.
      this.#downUntil = now + this.#pause;
      return undefined;
    }
    this.#setOpen(false);
    return undefined;
  }

  /** The upstream asked for a pause of so many seconds. */
  limited(seconds: number): void {
    this.#failures = 0;
    this.#limitedUntil = Math.max(this.#limitedUntil, this.#clock.now() + seconds * 1000);
    this.#setOpen(true);
  }

  /** It answered, whatever it said. */
  succeeded(): void {
    this.#failures = 0;
    this.#pause = FIRST_PAUSE;
    if (this.#clock.now() >= this.#limitedUntil) this.#setOpen(false);
  }

  /** It could not be reached. */
  failed(): void {
    this.#failures += 1;
    if (this.#failures < FAILURES_TO_OPEN) return;
    if (this.#failures > FAILURES_TO_OPEN) this.#pause = Math.min(this.#pause * 2, LONGEST_PAUSE);
    this.#downUntil = this.#clock.now() + this.#pause;
    this.#setOpen(true);
  }

  #setOpen(open: boolean): void {
    if (open === this.#open) return;
    this.#open = open;
    this.#changed(open);
  }
}
