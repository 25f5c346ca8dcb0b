import { RegistryError } from '../core/errors.ts';
import type { CacheEvent } from '../image/cache/cache-options.ts';
import type { Client } from '../image/client.ts';
import type { Location } from '../image/location.ts';
import type { Opened } from '../image/opened.ts';
import { location } from './arguments.ts';
import type { Connection } from './connection.ts';
import type { ConnectOptions, Context } from './context.ts';
import { passwordOf } from './password.ts';
import { told } from './told.ts';
import { UsageError } from './usage-error.ts';

export interface OpeningOptions extends Pick<ConnectOptions, 'observe' | 'cacheEvents' | 'hints'> {
  /** Ends what registries are being asked for. */
  readonly signal?: AbortSignal | undefined;
}

/** The client, and locations as users write them. */
export interface Opening extends AsyncDisposable {
  readonly client: Client;
  /**
   * @throws UsageError for a text that is no location; RegistryError for a place that is not there
   *   or is none
   */
  open(where: string | Location): Promise<Opened>;
}

/** Connects as the flags say. @throws UsageError for flags that make no sense together */
export async function opening(
  connection: Connection,
  context: Context,
  { signal, ...events }: OpeningOptions = {},
): Promise<Opening> {
  const password = await passwordOf(connection, context);
  const cacheEvents = warning(connection, context);
  const client = await connected({ connection, password, cacheEvents, ...events }, context);
  let closing: Promise<void> | undefined;
  const close = async (): Promise<void> => {
    signal?.removeEventListener('abort', end);
    closing ??= Promise.resolve(client[Symbol.asyncDispose]());
    await closing;
  };
  // Whoever awaits an answer learns of it by that; what closing fails with, by disposing.
  const end = (): void => void close().catch(() => {});
  signal?.addEventListener('abort', end, { once: true });
  return {
    client,
    open: async (where) => client.read(typeof where === 'string' ? location(where) : where),
    [Symbol.asyncDispose]: close,
  };
}

async function connected(options: ConnectOptions, { connect }: Context): Promise<Client> {
  try {
    return await connect(options);
  } catch (error) {
    if (!(error instanceof RegistryError) || error.code !== 'REQUEST_INVALID') throw error;
    throw new UsageError(error.message, { cause: error });
  }
}

/** A cache that is of no use costs requests, nothing more. */
function warning({ quiet }: Connection, { output }: Context): (event: CacheEvent) => void {
  return (event) => {
    if (quiet === true || event.type !== 'cache-unusable') return;
    const { folder, error } = event;
    output.error(
      `layover: the cache in ${folder} is not used: ${told(error)}; --cache names another folder, --no-cache does without\n`,
    );
  };
}
