import type { Client } from '../image/client.ts';
import { parseLocation } from '../image/location.ts';
import type { Opened } from '../image/opened.ts';
import type { Connection } from './connection.ts';
import type { ConnectOptions, Context } from './context.ts';
import { passwordOf } from './password.ts';

/** The client, and locations as users write them. */
export interface Opening extends AsyncDisposable {
  readonly client: Client;
  /** @throws RegistryError NAME_INVALID, or for a place that is not there or is none */
  open(location: string): Promise<Opened>;
}

/** Connects as the flags say. */
export async function opening(
  connection: Connection,
  context: Context,
  events: Pick<ConnectOptions, 'observe' | 'cacheEvents'> = {},
): Promise<Opening> {
  const password = await passwordOf(connection, context);
  const client = await context.connect({ connection, password, ...events });
  return {
    client,
    open: (location) => client.read(parseLocation(location)),
    [Symbol.asyncDispose]: () => client[Symbol.asyncDispose](),
  };
}
