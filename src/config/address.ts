import { isIPv6 } from 'node:net';
import { isHost } from '../core/reference.ts';

/** Where to listen. Without a host: on every address of the machine. Port 0: any free one. */
export interface Address {
  readonly host: string | undefined;
  readonly port: number;
}

const SHAPE = /^(?:\[([^\]]*)\]|([^:[\]]*)):(\d{1,5})$/;

/** `host:port`, `[::1]:8080` or `:8080`; `undefined` when the text is none of them. */
export function parseAddress(text: string): Address | undefined {
  const [, bracketed, name, digits] = SHAPE.exec(text) ?? [];
  const port = Number(digits);
  if (digits === undefined || port > 65_535) return undefined;
  if (bracketed !== undefined) return isIPv6(bracketed) ? { host: bracketed, port } : undefined;
  if (name === undefined || name === '') return { host: undefined, port };
  return isHost(name) ? { host: name, port } : undefined;
}

/** The text that `parseAddress` reads back as the same address. */
export function formatAddress({ host = '', port }: Address): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
