/** What of the clock outlives the process. Milliseconds. */
export interface ClockState {
  readonly time: number;
  /** The system's clock at that moment, since 1970. */
  readonly wall: number;
}

export interface ClockOptions {
  /** As it was left; `undefined` for a store that has none yet. */
  readonly last: ClockState | undefined;
  /** Milliseconds since 1970; may jump. */
  readonly wall?: () => number;
  /** Milliseconds; only goes forwards. */
  readonly monotonic?: () => number;
}

/** Milliseconds. Time for which nothing ran counts no longer than this: a clock that jumped looks the same. */
export const LONGEST_PAUSE = 24 * 60 * 60 * 1000;

/**
 * The time by which content grows old. It passes while the process runs and, to a limit, while it
 * does not; the system's clock may jump a year ahead or back and nothing gets older or younger by it.
 */
export class StoreClock {
  readonly #wall: () => number;
  readonly #monotonic: () => number;
  readonly #origin: number;
  readonly #started: number;

  constructor({
    last,
    wall = Date.now,
    monotonic = performance.now.bind(performance),
  }: ClockOptions) {
    this.#wall = wall;
    this.#monotonic = monotonic;
    const now = wall();
    const paused = last === undefined ? 0 : Math.min(LONGEST_PAUSE, Math.max(0, now - last.wall));
    this.#origin = last === undefined ? now : last.time + paused;
    this.#started = monotonic();
  }

  /** Milliseconds; never less than an earlier answer, in this run or one before. */
  now(): number {
    return Math.floor(this.#origin + this.#monotonic() - this.#started);
  }

  /** The same moment on the system's clock, as well as can be told. */
  onWall(time: number): number {
    return Math.round(this.#wall() - (this.now() - time));
  }

  get state(): ClockState {
    return { time: this.now(), wall: Math.round(this.#wall()) };
  }
}
