import type { CacheEvent } from '../image/cache/cache-options.ts';
import type { Client } from '../image/client.ts';
import type { UpstreamEvent } from '../upstream/event.ts';
import type { Hints } from '../upstream/hints.ts';
import type { Actions } from './actions.ts';
import type { Connection } from './connection.ts';
import type { Input } from './input.ts';
import type { Interruption } from './interruption.ts';
import type { Output } from './output.ts';

/** What the verbs are given by whoever starts the program. Nothing of it is loaded before a verb asks for it. */
export interface Context {
  readonly version: string;
  readonly output: Output;
  readonly input: Input;
  readonly interruption: Interruption;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** What the verbs that look after a mirror do. */
  readonly actions: () => Promise<Actions>;
  /**
   * The way to registries, with this user's logins, cache and proxies.
   * @throws RegistryError REQUEST_INVALID for flags that make no sense together
   */
  readonly connect: (options: ConnectOptions) => Promise<Client>;
}

export interface ConnectOptions {
  readonly connection: Connection;
  /** What `--password` or `--password-stdin` gave. */
  readonly password?: string | undefined;
  readonly observe?: ((event: UpstreamEvent) => void) | undefined;
  /** What helps, in the words of the program that runs, where they are not those of `layover`. */
  readonly hints?: Partial<Hints> | undefined;
  readonly cacheEvents?: ((event: CacheEvent) => void) | undefined;
}
