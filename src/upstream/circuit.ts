import { RegistryError } from '../core/errors.ts';
import type { Clock } from './clock.ts';
import { describe, type Subject } from './failure.ts';

/** What an endpoint that wants a pause says: that it is asked too often (429), or that it is busy (503). */
export type Wish = 'limited' | 'busy';

/** Why nothing is sent, and for how many seconds more. */
export interface Pause {
  readonly reason: Wish | 'down';
  readonly seconds: number;
}

const FAILURES_TO_OPEN = 5;
const FIRST_PAUSE = 2_000;
const LONGEST_PAUSE = 60_000;
/** Of an endpoint that does not say how long it wants to be left alone. */
const FIRST_WISH = 5_000;

/**
 * Keeps requests from an endpoint that asked for a pause, or that cannot be reached. After a row of
 * failures one request at a time finds out whether it is back, in growing intervals.
 */
export class Circuit {
  readonly #clock: Clock;
  readonly #changed: (open: boolean) => void;
  #wish: Wish = 'limited';
  #wishedUntil = 0;
  /** How long it was left alone last time, without having said for how long. */
  #guess = 0;
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
    if (now < this.#wishedUntil) {
      return { reason: this.#wish, seconds: secondsOf(this.#wishedUntil - now) };
    }
    if (this.#failures >= FAILURES_TO_OPEN) {
      if (now < this.#downUntil) {
        return { reason: 'down', seconds: secondsOf(this.#downUntil - now) };
      }
      // This request is the probe; should it never report, the next may go after another pause.
      this.#downUntil = now + this.#pause;
      return undefined;
    }
    this.#setOpen(false);
    return undefined;
  }

  /**
   * The upstream wants a pause, of so many seconds if it says so. If it does not, and wants one again soon after the
   * last, it is a longer one each time. Gives the seconds that it is left alone for.
   */
  wished(wish: Wish, seconds: number | undefined): number {
    this.#failures = 0;
    const now = this.#clock.now();
    const until = seconds === undefined ? this.#guessed(now) : now + seconds * 1000;
    if (until >= this.#wishedUntil) {
      this.#wish = wish;
      this.#wishedUntil = until;
    }
    this.#setOpen(true);
    return secondsOf(this.#wishedUntil - now);
  }

  /** It answered, whatever it said. */
  succeeded(): void {
    this.#failures = 0;
    this.#pause = FIRST_PAUSE;
    if (this.#clock.now() >= this.#wishedUntil) this.#setOpen(false);
  }

  /** It could not be reached. */
  failed(): void {
    this.#failures += 1;
    if (this.#failures < FAILURES_TO_OPEN) return;
    if (this.#failures > FAILURES_TO_OPEN) this.#pause = Math.min(this.#pause * 2, LONGEST_PAUSE);
    this.#downUntil = this.#clock.now() + this.#pause;
    this.#setOpen(true);
  }

  /** When it may be asked again. Those who are refused at the same time are refused once. */
  #guessed(now: number): number {
    if (now < this.#wishedUntil) return this.#wishedUntil;
    const again = now < this.#wishedUntil + this.#guess;
    this.#guess = again ? Math.min(this.#guess * 2, LONGEST_PAUSE) : FIRST_WISH;
    return now + this.#guess;
  }

  #setOpen(open: boolean): void {
    if (open === this.#open) return;
    this.#open = open;
    this.#changed(open);
  }
}

/** Whole ones; what a clock's fractions add to a round number is no further second. */
function secondsOf(milliseconds: number): number {
  return Math.ceil(Math.round(milliseconds) / 1000);
}

const REASONS: Readonly<Record<Pause['reason'], string>> = {
  limited: 'the upstream limits its rate',
  busy: 'the upstream asked for a pause',
  down: 'the upstream was out of reach',
};

/** What is told of an endpoint that is not asked at all for now, with the seconds for which that holds. */
export function paused({ reason, seconds }: Pause, subject: Subject): RegistryError {
  return new RegistryError(
    reason === 'limited' ? 'TOOMANYREQUESTS' : 'UPSTREAM_UNAVAILABLE',
    `${describe(subject)}: ${REASONS[reason]}; not asked again for ${seconds} s`,
    { retryAfter: seconds },
  );
}
