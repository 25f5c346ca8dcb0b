import Module, { createRequire } from 'node:module';
import type * as undici from 'undici';

type Undici = typeof undici;

const load = createRequire(import.meta.url);

// The package's entry loads everything that it has, fetch, WebSocket and mocks included: that takes a
// command line longer than all the rest. A test holds these against what the entry exports.
const parts = withoutHttp2(() => ({
  Agent: load('undici/lib/dispatcher/agent.js') as Undici['Agent'],
  Dispatcher: load('undici/lib/dispatcher/dispatcher.js') as Undici['Dispatcher'],
  buildConnector: load('undici/lib/core/connect.js') as Undici['buildConnector'],
  errors: load('undici/lib/core/errors.js') as Undici['errors'],
}));

export const { Agent, Dispatcher, buildConnector, errors } = parts;

/** For those who are behind a proxy: tunnels need what the entry adds to the parts. */
export function proxyAgents(): Pick<Undici, 'ProxyAgent' | 'EnvHttpProxyAgent'> {
  return load('undici') as Undici;
}

type Speak = (...given: readonly unknown[]) => unknown;

/**
 * While it loads, undici's part for HTTP/2 is one that loads the real one when it is first called:
 * that brings all of TLS with it and has every root certificate read, which what is asked in plain
 * HTTP need not wait for. Afterwards whoever loads that part gets the real one.
 */
function withoutHttp2<T>(loading: () => T): T {
  const part = load.resolve('undici/lib/dispatcher/client-h2.js');
  if (load.cache[part] !== undefined) return loading();
  const speak: Speak = (...given) => (load(part) as Speak)(...given);
  const stand = new Module(part);
  stand.exports = speak;
  stand.loaded = true;
  load.cache[part] = stand;
  try {
    return loading();
  } finally {
    delete load.cache[part];
  }
}
