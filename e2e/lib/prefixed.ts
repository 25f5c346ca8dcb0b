import type { Layover } from './layover.ts';
import { parts, PORT_ALIAS, type Name } from './world.ts';

/**
 * The name as a client without mirror settings asks for it: the mirror's address, then the
 * upstream's host. A port is not allowed inside a path, so that host goes by its other name.
 */
export function prefixed(layover: Pick<Layover, 'port'>, name: Name): string {
  const { host, repository, tag } = parts(name);
  const first = host.includes(':') ? PORT_ALIAS : host;
  return `127.0.0.1:${layover.port}/${first}/${repository}:${tag}`;
}
