import { setTimeout as delay } from 'node:timers/promises';
import { asError } from '../core/errors.ts';
import { summed, type Collection } from './collection.ts';
import type { HostedRepositories } from './repositories.ts';

export type UpkeepEvent =
  | { readonly type: 'collected'; readonly collection: Collection; readonly seconds: number }
  | { readonly type: 'expired'; readonly uploads: number }
  /** It will be tried again. */
  | { readonly type: 'failed'; readonly operation: 'collect' | 'expire'; readonly error: Error };

export interface UpkeepOptions {
  readonly hosted: Pick<HostedRepositories, 'collect' | 'expire'>;
  /** Milliseconds between two collections; 0: none. Asked at each look, some minutes apart. */
  readonly every: () => number;
  readonly signal: AbortSignal;
  readonly observe: (event: UpkeepEvent) => void;
  /** Milliseconds; rejects when the signal comes. */
  readonly wait?: (milliseconds: number, signal: AbortSignal) => Promise<void>;
}

/** Milliseconds between two looks for uploads to throw away, and from the start to the first collection. */
const EXPIRED_EVERY = 10 * 60 * 1000;
const FIRST = 10 * 60 * 1000;

/** Collects garbage and throws old uploads away, now and then, until the signal ends it. No error does. */
export async function upkeep(options: UpkeepOptions): Promise<void> {
  const { every, signal, wait = idle } = options;
  let most = FIRST;
  let waited = 0;
  const due = (): number => (every() === 0 ? Infinity : Math.min(every(), most)) - waited;
  while (!signal.aborted) {
    const pause = Math.max(0, Math.min(EXPIRED_EVERY, due()));
    try {
      await wait(pause, signal);
    } catch (error) {
      if (!signal.aborted) throw error;
      return;
    }
    waited += pause;
    await expire(options);
    if (due() > 0) continue;
    await collect(options);
    [most, waited] = [Infinity, 0];
  }
}

async function expire({ hosted, observe }: UpkeepOptions): Promise<void> {
  try {
    const uploads = await hosted.expire();
    if (uploads > 0) observe({ type: 'expired', uploads });
  } catch (error) {
    observe({ type: 'failed', operation: 'expire', error: asError(error) });
  }
}

async function collect({ hosted, signal, observe }: UpkeepOptions): Promise<void> {
  const started = performance.now();
  try {
    const collection = await summed(hosted.collect('collect', signal));
    const seconds = (performance.now() - started) / 1000;
    observe({ type: 'collected', collection, seconds });
  } catch (error) {
    if (signal.aborted) return;
    observe({ type: 'failed', operation: 'collect', error: asError(error) });
  }
}

async function idle(milliseconds: number, signal: AbortSignal): Promise<void> {
  await delay(milliseconds, undefined, { signal, ref: false });
}
