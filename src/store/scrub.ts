import { setTimeout as delay } from 'node:timers/promises';
import type { Digest } from '../core/digest.ts';
import type { Paths } from './paths.ts';
import type { ContentStore } from './store.ts';
import { verify } from './verify.ts';

export interface ScrubOptions {
  readonly paths: Paths;
  readonly store: ContentStore;
  /** Bytes a second. */
  readonly rate: number;
  readonly signal: AbortSignal;
  /** Some content could not be read; the rest is verified all the same. */
  readonly onError?: (error: Error) => void;
}

/** Milliseconds from the start of one round to the start of the next, at least. */
const ROUND = 24 * 60 * 60 * 1000;

/** Verifies the whole store over and over, slowly, until the signal ends it. */
export async function scrub(options: ScrubOptions): Promise<void> {
  const { paths, store, rate, signal, onError } = options;
  const onUnreadable = (_digest: Digest, error: Error): void => onError?.(error);
  while (!signal.aborted) {
    const started = performance.now();
    try {
      for await (const _verified of verify({
        paths,
        store,
        pace: pacer(rate, signal),
        onUnreadable,
      })) {
        signal.throwIfAborted();
      }
      await delay(Math.max(0, started + ROUND - performance.now()), undefined, {
        signal,
        ref: false,
      });
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }
}

/** Waits so that no more than `rate` bytes a second pass. */
export function pacer(rate: number, signal?: AbortSignal): (bytes: number) => Promise<void> {
  const started = performance.now();
  let passed = 0;
  return async (bytes) => {
    passed += bytes;
    const ahead = (passed / rate) * 1000 - (performance.now() - started);
    if (ahead > 0) await delay(ahead, undefined, { ...(signal && { signal }), ref: false });
  };
}
