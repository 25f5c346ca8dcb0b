import { createRequire } from 'node:module';
import type * as undici from 'undici';

type Undici = typeof undici;

const load = createRequire(import.meta.url);

// The package's entry loads everything that it has, fetch, WebSocket and mocks included: that takes a
// command line longer than all the rest. A test holds these against what the entry exports.
export const Agent = load('undici/lib/dispatcher/agent.js') as Undici['Agent'];
export const Dispatcher = load('undici/lib/dispatcher/dispatcher.js') as Undici['Dispatcher'];
export const buildConnector = load('undici/lib/core/connect.js') as Undici['buildConnector'];
export const errors = load('undici/lib/core/errors.js') as Undici['errors'];

/** For those who are behind a proxy: tunnels need what the entry adds to the parts. */
export function proxyAgents(): Pick<Undici, 'ProxyAgent' | 'EnvHttpProxyAgent'> {
  return load('undici') as Undici;
}
