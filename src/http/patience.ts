import { RegistryError } from '../core/errors.ts';
import { isHosted } from '../core/hosted.ts';
import type { Kind } from '../core/kind.ts';
import { formatRepository } from '../core/reference.ts';
import type { Exchange } from './exchange.ts';

/** Milliseconds: containerd and docker give up at 30 s, and what one upstream request comes to is known after 25. */
const LONGEST = 27_000;
const LOOKED = 1_000;

export interface PatienceOptions {
  /** Those that are being answered. */
  readonly exchanges: Iterable<Exchange>;
  /** Milliseconds; shorter than any client's. */
  readonly longest?: number | undefined;
  readonly onLate: (exchange: Exchange, error: RegistryError) => void;
}

/**
 * Gives up on behalf of clients, before they do: several requests to an upstream, each in time, may add up
 * to more than a client waits for. What is under way goes on, as it belongs to no request: the next attempt
 * finds it. Everybody is looked at now and then, which costs a request nothing.
 */
export class Patience implements Disposable {
  readonly #options: PatienceOptions;
  readonly #longest: number;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: PatienceOptions) {
    this.#options = options;
    this.#longest = options.longest ?? LONGEST;
  }

  /** Begins to look, unless it does. */
  watch(): void {
    const every = Math.min(LOOKED, this.#longest / 4);
    this.#timer ??= setInterval(() => this.#look(), every).unref();
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    const { exchanges, onLate } = this.#options;
    for (const exchange of exchanges) {
      const { repository, kind, reference, begun, closed, waited } = exchange;
      if (begun || closed || waited < this.#longest || !isFetched(kind)) continue;
      if (repository === undefined || isHosted(repository)) continue;
      const what = `${formatRepository(repository)}: ${reference} has not come in time`;
      const message = `${what}; what is under way goes on, so ask again`;
      onLate(exchange, new RegistryError('UPSTREAM_TIMEOUT', message));
    }
  }
}

/** Lists of tags have as many pages as they have, and are waited for. */
function isFetched(kind: Kind | undefined): boolean {
  return kind === 'manifest' || kind === 'blob' || kind === 'referrers';
}
