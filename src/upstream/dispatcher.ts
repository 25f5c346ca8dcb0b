import { lookup, type LookupAddress, type LookupAllOptions } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import type { buildConnector as connectors, Dispatcher } from 'undici';
import { PartedDispatcher } from './parted-dispatcher.ts';
import { portOf, unbracketed, type AddressRule } from './private-address.ts';
import { Agent, buildConnector, proxyAgents } from './undici.ts';

/** PEM texts. `ca` is added to the roots that are trusted anyway. */
export interface TlsOptions {
  readonly ca?: string;
  /** The client certificate; shown to the configured hosts alone. */
  readonly cert?: string;
  readonly key?: string;
  readonly insecureSkipVerify?: boolean;
}

/** One proxy for everything, or what `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY` say. */
export type ProxyOptions =
  | string
  | { readonly http?: string; readonly https?: string; readonly none?: string };

export interface DispatcherOptions {
  readonly tls?: TlsOptions | undefined;
  readonly proxy?: ProxyOptions | undefined;
  /** Milliseconds. */
  readonly connectTimeout: number;
  readonly addresses: AddressRule;
  /** How names become addresses; the system's way if left out. */
  readonly resolve?: Resolve | undefined;
}

export type Resolve = (
  hostname: string,
  options: LookupAllOptions,
  callback: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void;

/**
 * The connections of one upstream. Addresses are held against the rule when connecting, after name
 * resolution. Behind a proxy names are resolved by the proxy, so only address literals are checked
 * there.
 */
export function dispatcher(options: DispatcherOptions): Dispatcher {
  const { proxy, tls, addresses } = options;
  if (proxy === undefined) return new Agent(connecting(options));
  const plain = proxied(proxy, options, 'without-identity');
  if (tls?.cert === undefined) return plain;
  // A proxy agent shows everyone the same certificate.
  return new PartedDispatcher(proxied(proxy, options, 'with-identity'), plain, addresses);
}

function connecting(options: DispatcherOptions) {
  return {
    connect: guardedConnector(options),
    // One connection a body: a window shared by all of HTTP/2's streams slows every one of them.
    allowH2: false,
    keepAliveTimeout: 30_000,
    connectTimeout: options.connectTimeout,
  };
}

function proxied(proxy: ProxyOptions, options: DispatcherOptions, identity: Identity): Dispatcher {
  const shared = { ...connecting(options), requestTls: secureOptions(options.tls, identity) };
  const { ProxyAgent, EnvHttpProxyAgent } = proxyAgents();
  if (typeof proxy === 'string') return new ProxyAgent({ ...shared, uri: proxy });
  return new EnvHttpProxyAgent({
    ...shared,
    // Empty rather than absent: what is absent here undici takes from the environment.
    httpProxy: proxy.http ?? '',
    httpsProxy: proxy.https ?? '',
    noProxy: proxy.none ?? '',
  });
}

function guardedConnector(options: DispatcherOptions): connectors.connector {
  const { tls, connectTimeout, addresses, resolve = lookup } = options;
  const shared = {
    timeout: connectTimeout,
    autoSelectFamily: true,
    allowH2: false,
  };
  const configured = buildConnector({ ...shared, ...secureOptions(tls, 'with-identity') });
  const plain = { ...shared, ...secureOptions(tls, 'without-identity') };
  const allowed = buildConnector(plain);
  const elsewhere = buildConnector({
    ...plain,
    lookup: guardedLookup(addresses, resolve),
  });
  return (target, callback) => {
    const hostname = unbracketed(target.hostname);
    if (addresses.configures(hostname)) return configured(target, callback);
    if (addresses.trusts(hostname, portOf(target))) return allowed(target, callback);
    try {
      if (isIP(hostname) !== 0) addresses.check(hostname, hostname);
    } catch (error) {
      return callback(error as Error, null);
    }
    return elsewhere(target, callback);
  };
}

function guardedLookup(addresses: AddressRule, resolve: Resolve): LookupFunction {
  return (hostname, options, callback) => {
    resolve(hostname, { ...options, all: true }, (error, found) => {
      if (error !== null) return callback(error, '', 0);
      try {
        for (const { address } of found) addresses.check(hostname, address);
      } catch (cause) {
        return callback(cause as NodeJS.ErrnoException, '', 0);
      }
      if (options.all === true) return callback(null, found);
      const first = found[0];
      return callback(null, first?.address ?? '', first?.family ?? 0);
    });
  };
}

type Identity = 'with-identity' | 'without-identity';

function secureOptions(tls: TlsOptions | undefined, identity: Identity) {
  if (tls === undefined) return {};
  // An import would have every root certificate read for those who speak plain HTTP, too.
  const { createSecureContext, getCACertificates } = process.getBuiltinModule('node:tls');
  const { ca, cert, key } = tls;
  const shown =
    identity === 'with-identity' && cert !== undefined && key !== undefined ? { cert, key } : {};
  const roots = ca === undefined ? {} : { ca: [...getCACertificates('default'), ca] };
  return {
    // Made once: reading a hundred roots costs milliseconds.
    secureContext: createSecureContext({ ...roots, ...shown }),
    rejectUnauthorized: tls.insecureSkipVerify !== true,
  };
}
