import { asError, RegistryError } from '../../core/errors.ts';
import type { Platform } from '../../core/platform.ts';
import type { PrefetchEvent, PrefetchSummary } from './event.ts';
import { prefetch } from './prefetch.ts';
import type { Stock } from './stock.ts';

/** What is to be fetched, or looked at. */
export interface PrefetchQuery {
  /** References, or patterns of tags. */
  readonly images: readonly string[];
  /** None: the one of this machine. */
  readonly platforms: readonly Platform[] | 'all';
  readonly referrers: 'left-out' | 'copied';
  /** Tags that one pattern may fit. */
  readonly maxTags: number;
  readonly mode: 'fetch' | 'look';
}

export interface PrefetchRun {
  /** Ends it early. */
  readonly signal: AbortSignal;
  readonly observe: (event: PrefetchEvent) => void;
}

/** What a run was begun by. */
export type Trigger = 'request' | 'schedule' | 'tag-moved';

/** What is told of runs to whoever watches the whole. */
export type PrefetchRunEvent =
  | { readonly type: 'begun'; readonly trigger: Trigger; readonly images: number }
  | { readonly type: 'image'; readonly trigger: Trigger; readonly event: PrefetchEvent }
  | {
      readonly type: 'ended';
      readonly trigger: Trigger;
      readonly result: 'complete' | 'incomplete' | 'interrupted';
      /** Left out for a run that was interrupted. */
      readonly summary?: PrefetchSummary;
      readonly seconds: number;
    };

export interface PrefetcherOptions {
  readonly stock: Stock;
  /** Looks without changing anything. */
  readonly look: () => Stock;
  readonly observe?: (event: PrefetchRunEvent) => void;
}

/** Fills one stock, for whoever asks, until it is closed. */
export class Prefetcher {
  readonly #options: PrefetcherOptions;
  readonly #closing = new AbortController();
  readonly #running = new Set<Promise<unknown>>();

  constructor(options: PrefetcherOptions) {
    this.#options = options;
  }

  /** @throws RegistryError REQUEST_INVALID; INTERRUPTED when it was ended early */
  run(query: PrefetchQuery, run: PrefetchRun, trigger: Trigger): Promise<PrefetchSummary> {
    const running = this.#run(query, run, trigger);
    this.#running.add(running);
    const over = (): void => void this.#running.delete(running);
    running.then(over, over);
    return running;
  }

  /** Ends every run; settles when none is under way any more. */
  async close(): Promise<void> {
    const message = 'the server is ending';
    this.#closing.abort(new RegistryError('INTERRUPTED', message));
    await Promise.allSettled(this.#running);
  }

  async #run(query: PrefetchQuery, run: PrefetchRun, trigger: Trigger): Promise<PrefetchSummary> {
    const { stock, look } = this.#options;
    const { mode, ...what } = query;
    const signal = AbortSignal.any([run.signal, this.#closing.signal]);
    const observe = (event: PrefetchEvent): void => {
      run.observe(event);
      if (mode === 'fetch') this.#options.observe?.({ type: 'image', trigger, event });
    };
    if (mode === 'look') return prefetch({ ...what, stock: look(), signal, observe });
    const since = performance.now();
    this.#options.observe?.({ type: 'begun', trigger, images: query.images.length });
    const end = (
      told: Omit<PrefetchRunEvent & { type: 'ended' }, 'type' | 'trigger' | 'seconds'>,
    ) =>
      this.#options.observe?.({
        type: 'ended',
        trigger,
        seconds: (performance.now() - since) / 1000,
        ...told,
      });
    try {
      const summary = await prefetch({ ...what, stock, signal, observe });
      end({ result: summary.failures.length === 0 ? 'complete' : 'incomplete', summary });
      return summary;
    } catch (error) {
      end({ result: signal.aborted ? 'interrupted' : 'incomplete' });
      throw asError(error);
    }
  }
}
