import { setTimeout as delay } from 'node:timers/promises';
import { asError } from '../core/errors.ts';
import type { Paths } from './paths.ts';
import type { ContentStore } from './store.ts';
import { verify } from './verify.ts';

export interface ScrubOptions {
  readonly paths: Paths;
  readonly store: ContentStore;
  /** Bytes a second; at 0 a round is given up, and the next begins when it is another. */
  readonly rate: () => number;
  readonly signal: AbortSignal;
  /** Some content could not be read, or a round came to an early end; the verification goes on. */
  readonly onError?: (error: Error) => void;
  /** Milliseconds; rejects when the signal comes. */
  readonly wait?: (milliseconds: number, signal: AbortSignal) => Promise<void>;
}

/** Milliseconds from the start of one round to the start of the next, at least. */
const ROUND = 24 * 60 * 60 * 1000;

/** Milliseconds from the early end of one round to the start of the next: an error may last. */
const AFTER_ERROR = 10 * 60 * 1000;

/** Verifies the whole store over and over, slowly, until the signal ends it. No error does. */
export async function scrub(options: ScrubOptions): Promise<void> {
  const { signal, wait = idle } = options;
  while (!signal.aborted) {
    const pause = options.rate() === 0 ? LOOK : await round(options);
    try {
      await wait(pause, signal);
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }
}

/** Verifies everything once; tells the milliseconds until the next round. */
async function round({ paths, store, rate, signal, onError }: ScrubOptions): Promise<number> {
  const started = performance.now();
  const pace = pacer(rate, signal);
  const onUnreadable = (_digest: unknown, error: Error): void => {
    signal.throwIfAborted();
    if (error instanceof TurnedOff) throw error;
    onError?.(error);
  };
  try {
    for await (const _verified of verify({ paths, store, pace, onUnreadable })) {
      signal.throwIfAborted();
    }
    return Math.max(0, started + ROUND - performance.now());
  } catch (error) {
    if (error instanceof TurnedOff) return LOOK;
    if (!signal.aborted) onError?.(asError(error));
    return AFTER_ERROR;
  }
}

async function idle(milliseconds: number, signal: AbortSignal): Promise<void> {
  await delay(milliseconds, undefined, { signal, ref: false });
}

/** Milliseconds after which a rate is looked at again by who waits. */
const LOOK = 1000;

/** Milliseconds by which who was late may be early the next time. */
const CATCH_UP = 50;

/** Nothing may pass any more. Not waited out: what is open to be read cannot be evicted. */
class TurnedOff extends Error {
  constructor() {
    super('the rate is 0');
    this.name = 'TurnedOff';
  }
}

/** Waits so that no more than `rate` bytes a second pass, whatever it is at the time. @throws Error at 0 */
export function pacer(rate: () => number, signal?: AbortSignal): (bytes: number) => Promise<void> {
  let paid = performance.now();
  let owed = 0;
  const pay = (): void => {
    const now = performance.now();
    // What was not used up long ago is no reason to hurry.
    owed = Math.max(owed - (rate() * (now - paid)) / 1000, (-rate() * CATCH_UP) / 1000);
    paid = now;
  };
  return async (bytes) => {
    for (pay(), owed += bytes; owed > 0; pay()) {
      if (rate() === 0) throw new TurnedOff();
      const wait = Math.min(LOOK, (owed / rate()) * 1000);
      await delay(wait, undefined, { ...(signal && { signal }), ref: false });
    }
  };
}
