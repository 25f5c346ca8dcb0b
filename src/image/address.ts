import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { systemCode } from '../core/errors.ts';
import { apiHostOf } from '../upstream/docker-host.ts';
import { isPrivateAddress, unbracketed } from '../upstream/private-address.ts';

/** How a registry is spoken to; left out, it is found out. */
export type Scheme = 'http' | 'https';

/** Everywhere: for registries that are in a private network themselves. */
const ANYWHERE: readonly string[] = ['0.0.0.0/0', '::/0'];

/** The API's root. */
export function urlOf(host: string, scheme: Scheme): string {
  return `${scheme}://${apiHostOf(host)}`;
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
