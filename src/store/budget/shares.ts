import type { BlobIndex } from './blob-index.ts';
import type { Evictor } from './evictor.ts';
import type { HousekeepingOptions } from './options.ts';

export interface SharesOptions extends Pick<HousekeepingOptions, 'rules'> {
  readonly index: BlobIndex;
  readonly evictor: Evictor;
  /** Why nothing may be evicted at the moment. */
  readonly closed: () => string | undefined;
}

/** What single upstreams may have of the budget, seen to one look at a time. */
export class Shares {
  readonly #options: SharesOptions;
  /** The sweep that is under way. */
  #sweeping = Promise.resolve();

  constructor(options: SharesOptions) {
    this.#options = options;
  }

  /** Whether the upstream may have a share of the budget only. */
  has(host: string): boolean {
    return this.#options.rules().shares.has(host);
  }

  /** Has leave now what upstreams have beyond their shares. Settles when no more of it is on its way out. */
  async keep(): Promise<void> {
    const sweeping = this.#sweeping.then(() => this.#sweep());
    this.#sweeping = sweeping.catch(() => {});
    await sweeping;
  }

  async #sweep(): Promise<void> {
    const { rules, index, evictor, closed } = this.#options;
    if (closed() !== undefined) return;
    const { shares, limits } = rules();
    for (const [host, share] of shares) {
      if (index.bytesOf(host) <= share) continue;
      const excess = (): number => index.bytesOf(host) - share * limits.lowWater;
      await evictor.sweep({ reason: 'share', host, excess });
    }
  }
}
