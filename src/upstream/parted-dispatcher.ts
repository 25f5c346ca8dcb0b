import type { Dispatcher as Dispatching } from 'undici';
import type { AddressRule } from './private-address.ts';
import { Dispatcher } from './undici.ts';

/** Asks configured hosts by one dispatcher and all others by another; both end with it. */
export class PartedDispatcher extends Dispatcher {
  readonly #configured: Dispatching;
  readonly #others: Dispatching;
  readonly #addresses: AddressRule;

  constructor(configured: Dispatching, others: Dispatching, addresses: AddressRule) {
    super();
    this.#configured = configured;
    this.#others = others;
    this.#addresses = addresses;
  }

  override dispatch(
    options: Dispatching.DispatchOptions,
    handler: Dispatching.DispatchHandler,
  ): boolean {
    const { hostname } = new URL(options.origin ?? '');
    const own = this.#addresses.configures(hostname);
    return (own ? this.#configured : this.#others).dispatch(options, handler);
  }

  override async destroy(): Promise<void> {
    await Promise.all([this.#configured.destroy(), this.#others.destroy()]);
  }

  override async close(): Promise<void> {
    await Promise.all([this.#configured.close(), this.#others.close()]);
  }
}
