import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { RegistryError, systemCode } from '../core/errors.ts';
import { apiHostOf } from '../upstream/docker-host.ts';
import { isUntrusted, UpstreamError } from '../upstream/failure.ts';
import { isPrivateAddress, unbracketed } from '../upstream/private-address.ts';
import { upstream, type UpstreamOptions } from '../upstream/upstream.ts';
import { speaksHttp } from './speaks-http.ts';

/** How a registry is spoken to; left out, it is found out. */
export type Scheme = 'http' | 'https';

/** What connections that did not come about end with; anything else is an answer of some kind. */
const SILENT: ReadonlySet<string> = new Set([
  'tls',
  'reset',
  'refused',
  'invalid',
  'timeout',
  // Of a server that expects TLS, or a certificate.
  '400',
]);

/** Everywhere: for registries that are in a private network themselves. */
const ANYWHERE: readonly string[] = ['0.0.0.0/0', '::/0'];

/** The API's root. */
export function urlOf(host: string, scheme: Scheme): string {
  return `${scheme}://${apiHostOf(host)}`;
}

/**
 * https, except that a registry on this machine which answers without TLS is spoken to without.
 * Elsewhere nobody who sits in between may bring that about.
 */
export async function schemeOf(
  host: string,
  options: Omit<UpstreamOptions, 'url'>,
): Promise<Scheme> {
  if (!isLoopback(host)) return 'https';
  // Whoever names certificates means TLS.
  if (options.tls?.ca !== undefined || options.tls?.cert !== undefined) return 'https';
  const direct = options.proxy === undefined && /:\d+$/.test(host);
  if (direct && (await speaksHttp(host))) return 'http';
  const secure = await probe(urlOf(host, 'https'), options);
  if (secure === 'answered') return 'https';
  // When neither is of use, what is wrong with TLS is the better story.
  return (await probe(urlOf(host, 'http'), options)) === 'answered' ? 'http' : 'https';
}

async function probe(
  url: string,
  options: Omit<UpstreamOptions, 'url'>,
): Promise<'answered' | 'silent'> {
  await using registry = upstream({ ...options, url, retries: 0, credentials: undefined });
  try {
    await registry.check();
    return 'answered';
  } catch (error) {
    if (!(error instanceof RegistryError)) throw error;
    const silent = error instanceof UpstreamError && SILENT.has(error.reason);
    return silent && !isUntrusted(error) ? 'silent' : 'answered';
  }
}

/** `localhost`, what is below it, and the loopback addresses; with or without a port. */
export function isLoopback(host: string): boolean {
  const name = hostnameOf(host);
  if (name === 'localhost' || name.endsWith('.localhost')) return true;
  return name === '::1' || (isIP(name) === 4 && name.startsWith('127.'));
}

/**
 * Where the registry may lead by redirects and token servers although it is private: nowhere for one
 * that is public, anywhere for one that is in a private network itself.
 * @param way behind a proxy names are the proxy's to resolve: only addresses are judged
 */
export async function allowedPrivate(
  host: string,
  way: 'direct' | 'proxied',
): Promise<readonly string[]> {
  if (isLoopback(host)) return ANYWHERE;
  const name = hostnameOf(apiHostOf(host));
  if (way === 'proxied' && isIP(name) === 0) return [];
  try {
    const addresses = await lookup(name, { all: true });
    return addresses.some(({ address }) => isPrivateAddress(address)) ? ANYWHERE : [];
  } catch (error) {
    // Whoever connects will say so; behind a proxy it may not even matter.
    if (systemCode(error) === undefined) throw error;
    return [];
  }
}

function hostnameOf(host: string): string {
  return unbracketed(new URL(`http://${host}`).hostname);
}
