import { setTimeout as delay } from 'node:timers/promises';
import { RegistryError } from '../core/errors.ts';

/** Seconds. Beyond it a client is better off with an error. */
const LONGEST_WAIT = 30;
const FIRST_WAIT = 0.25;

/** Decides whether a body that broke is worth going on with. Progress renews the patience. */
export class Persistence {
  readonly #retries: number;
  readonly #signal: AbortSignal;
  #failures = 0;

  constructor(retries: number, signal: AbortSignal) {
    this.#retries = retries;
    this.#signal = signal;
  }

  progress(): void {
    this.#failures = 0;
  }

  /** Waits until another attempt makes sense. @throws the error itself when none does */
  async recover(error: unknown): Promise<void> {
    this.#failures += 1;
    if (this.#failures > this.#retries || !isPassing(error)) throw error;
    const backOff = FIRST_WAIT * 2 ** (this.#failures - 1) * (0.75 + Math.random() / 2);
    const seconds = Math.max(error.retryAfter ?? 0, backOff);
    if (seconds > LONGEST_WAIT) throw error;
    await delay(seconds * 1000, undefined, { signal: this.#signal });
  }
}

function isPassing(error: unknown): error is RegistryError {
  return (
    error instanceof RegistryError &&
    (error.code === 'UPSTREAM_UNAVAILABLE' ||
      error.code === 'UPSTREAM_TIMEOUT' ||
      error.code === 'TOOMANYREQUESTS')
  );
}
