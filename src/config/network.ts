import { isIP } from 'node:net';
import { isHost } from '../core/reference.ts';

/** Whether the text is a host name, an IP address, either with a port, or a range such as `10.0.0.0/8` or `fd00::/8`. */
export function isHostOrRange(text: string): boolean {
  const [address = '', bits, ...rest] = text.split('/');
  const version = isIP(address);
  if (bits === undefined) return version !== 0 || isHost(text);
  const most = version === 4 ? 32 : 128;
  return version !== 0 && rest.length === 0 && /^\d{1,3}$/.test(bits) && Number(bits) <= most;
}
