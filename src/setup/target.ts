import { RegistryError } from '../core/errors.ts';

/** A registry that can be reached through a mirror. */
export interface Mirrored {
  /** As image references have it: `docker.io`, `localhost:5000`. */
  readonly host: string;
  /** Other names that the mirror takes for it. */
  readonly aliases: readonly string[];
}

/** A mirror, as its clients get to it. */
export interface Mirror {
  /** Scheme and authority, without a slash at the end. */
  readonly url: string;
  /** Host and, unless the scheme implies it, port. */
  readonly authority: string;
  readonly scheme: 'http' | 'https';
  /** A name or an address, without brackets. */
  readonly hostname: string;
  readonly port: number;
}

/** What clients are to be pointed at. */
export interface Target {
  readonly mirror: Mirror;
  readonly upstreams: readonly Mirrored[];
  /** PEM of the authority that vouches for the mirror, where clients do not know it anyway. */
  readonly ca: string | undefined;
}

/** @throws RegistryError REQUEST_INVALID for anything but scheme, host and port */
export function parseMirror(text: string): Mirror {
  const url = URL.parse(text);
  const bare =
    url !== null &&
    (url.protocol === 'http:' || url.protocol === 'https:') &&
    url.hostname !== '' &&
    url.pathname === '/' &&
    `${url.username}${url.password}${url.search}${url.hash}` === '';
  if (!bare) {
    throw new RegistryError(
      'REQUEST_INVALID',
      `not the address of a mirror: ${JSON.stringify(text)}; such as http://10.0.0.5:8080`,
    );
  }
  const scheme = url.protocol === 'https:' ? 'https' : 'http';
  return {
    url: url.origin,
    authority: url.host,
    scheme,
    hostname: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: url.port === '' ? (scheme === 'https' ? 443 : 80) : Number(url.port),
  };
}
