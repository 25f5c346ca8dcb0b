import { LONGEST_PAUSE } from './clock.ts';

/** A time for which the system's clock went on evenly. Milliseconds since 1970, by that clock. */
export interface Stretch {
  readonly from: number;
  readonly to: number;
  /** By how much the clock was further on at its beginning than at the end of the one before. */
  readonly pause: number;
}

export interface PastOptions {
  /** As it was left, the last one at the end; none for a store that has none yet. */
  readonly last: readonly Stretch[];
  /** Milliseconds since 1970; may jump. */
  readonly wall?: (() => number) | undefined;
  /** Milliseconds; only goes forwards. */
  readonly monotonic?: (() => number) | undefined;
}

/** The age of what the system's clock has dated. Milliseconds on a scale of its own; no jump makes time pass. */
export interface Dated {
  now(): number;
  /** Where on that scale something is that the system's clock has dated; never later than `now`. */
  of(at: number): number;
}

/** Milliseconds by which the two clocks may part between two looks before the system's is said to have jumped. */
const EVEN = 60 * 1000;

/** Milliseconds; a pause no longer than this is believed. */
const SHORT = 60 * 60 * 1000;

/** More of them than clocks jump while anything waits to get old. */
const REMEMBERED = 200;

/**
 * How the system's clock has gone, so that files, whose times are its times, have an age whatever it
 * showed when they were written. What can be told in two ways is taken for the younger. It has to be
 * looked at every few seconds.
 */
export class Past {
  readonly #wall: () => number;
  readonly #monotonic: () => number;
  readonly #before: Stretch[];
  #current: Stretch;
  /** Milliseconds of this run in stretches before the current one. */
  #passed = 0;
  #lookedAt: number;

  constructor({
    last,
    wall = Date.now,
    monotonic = performance.now.bind(performance),
  }: PastOptions) {
    this.#wall = wall;
    this.#monotonic = monotonic;
    this.#lookedAt = monotonic();
    this.#before = [...last];
    this.#current = this.#begin(this.#before.at(-1), wall());
  }

  /** Finds out whether the clock has jumped since the look before. */
  look(): void {
    const [wall, monotonic] = [this.#wall(), this.#monotonic()];
    const ran = monotonic - this.#lookedAt;
    this.#lookedAt = monotonic;
    const { from, to, pause } = this.#current;
    if (Math.abs(wall - to - ran) <= EVEN) {
      this.#current = { from, to: Math.max(to, wall), pause };
      return;
    }
    this.#passed += to - from;
    this.#before.push(this.#current);
    if (this.#before.length > REMEMBERED) this.#before.shift();
    // It jumped at some moment since then: what was written after that is no older than the look before.
    this.#current = { from: wall - ran, to: wall, pause: 0 };
  }

  /** @param longest milliseconds that a time counts at most for which nothing ran: a clock that jumped looks the same */
  dated(longest: number = SHORT): Dated {
    const now = (): number => {
      this.look();
      return this.#passed + this.#current.to - this.#current.from;
    };
    return { now, of: (at) => now() - this.#ageOf(at, longest) };
  }

  /**
   * When something was that the system's clock has dated, by what it shows now: where it has not jumped
   * since, that same time.
   */
  onWall(at: number): number {
    this.look();
    return Math.round(this.#current.to - this.#ageOf(at, LONGEST_PAUSE));
  }

  get stretches(): readonly Stretch[] {
    return [...this.#before, this.#current];
  }

  #ageOf(at: number, longest: number): number {
    let age = 0;
    /** Were it from just after a stretch, with no look at the clock between. */
    let atMost: number | undefined;
    let stretch = this.#current;
    for (let index = this.#before.length; ; index -= 1) {
      const { from, to, pause } = stretch;
      if (at >= from && at <= to + EVEN) return age + Math.max(0, to - at);
      if (at >= from) atMost ??= age;
      const earlier = this.#before[index - 1];
      if (earlier === undefined) return atMost ?? age + to - at;
      age += to - from + Math.min(longest, pause);
      stretch = earlier;
    }
  }

  /** The stretch in which this run begins: the last one of the run before, if the clock could have gone on evenly. */
  #begin(last: Stretch | undefined, wall: number): Stretch {
    const pause = last === undefined ? 0 : wall - last.to;
    if (last !== undefined && pause >= 0 && pause <= SHORT) {
      this.#before.pop();
      return { ...last, to: wall };
    }
    // A run that was killed may have seen the clock set back, and left no word of it.
    return pause < 0 ? { from: wall - SHORT, to: wall, pause: 0 } : { from: wall, to: wall, pause };
  }
}
