import { setTimeout as delay } from 'node:timers/promises';
import { asError } from '../../core/errors.ts';

/** Milliseconds between two rounds of housekeeping, which is what a crash costs of access times. */
const PAUSE = 5_000;

/** Milliseconds until a round that failed is followed by another. */
const AGAIN = 60_000;

export interface RoundsOptions {
  /** Comes before all rounds, once. */
  readonly first: () => Promise<void>;
  readonly round: () => Promise<void>;
  /** One of them failed: for a while there are none. */
  readonly onError: (error: Error) => void;
}

/** What is done every few seconds, one after the other, until it is ended. */
export class Rounds implements AsyncDisposable {
  readonly #options: RoundsOptions;
  readonly #stop = new AbortController();
  /** Ends the rest between two rounds. */
  #pause = new AbortController();
  readonly #first = Promise.withResolvers<void>();
  #running: Promise<void> | undefined;
  #failedAt = -Infinity;

  constructor(options: RoundsOptions) {
    this.#options = options;
  }

  /** Fires at the end, for a round that is under way. */
  get signal(): AbortSignal {
    return this.#stop.signal;
  }

  get begun(): boolean {
    return this.#running !== undefined;
  }

  begin(): void {
    this.#running = this.#run();
  }

  /** Settles once the first task has ended, however it did. */
  async first(): Promise<void> {
    await this.#first.promise;
  }

  /** Has the next round begin soon, rather than in some seconds. */
  hurry(): void {
    this.#pause.abort();
  }

  /** Settles when the last one has. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    const { first, round } = this.#options;
    await this.#try(first);
    this.#first.resolve();
    while (!signal.aborted) {
      const rest = AbortSignal.any([signal, this.#pause.signal]);
      await delay(PAUSE, undefined, { signal: rest, ref: false }).catch(() => {});
      this.#pause = new AbortController();
      if (!signal.aborted) await this.#try(round);
    }
  }

  async #try(task: () => Promise<void>): Promise<void> {
    if (performance.now() - this.#failedAt < AGAIN) return;
    try {
      await task();
    } catch (error) {
      this.#failedAt = performance.now();
      this.#options.onError(asError(error));
    }
  }
}
