import { Dispatcher } from 'undici';
import type { AddressRule } from './private-address.ts';

/** Asks configured hosts by one dispatcher and all others by another; both end with it. */
export class PartedDispatcher extends Dispatcher {
  readonly #configured: Dispatcher;
  readonly #others: Dispatcher;
  readonly #addresses: AddressRule;

  constructor(configured: Dispatcher, others: Dispatcher, addresses: AddressRule) {
    super();
    this.#configured = configured;
    this.#others = others;
    this.#addresses = addresses;
  }

  override dispatch(
    options: Dispatcher.DispatchOptions,
    handler: Dispatcher.DispatchHandler,
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
