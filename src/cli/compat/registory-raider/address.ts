import { RegistryError } from '../../../core/errors.ts';
import { isHost } from '../../../core/reference.ts';
import { normalHost } from '../../../upstream/docker-host.ts';
import type { Connection } from '../../connection.ts';

/** A registry as registory-raider is told it. */
export interface Address {
  /** As it was written, with one slash at its end. */
  readonly base: string;
  readonly host: string;
  readonly connection: Pick<Connection, 'plainHttp'>;
}

/** Reads `http://HOST:PORT/`; without a scheme it is found out. @throws RegistryError NAME_INVALID */
export function parseAddress(text: string): Address {
  const [, scheme, rest = ''] = /^(?:(https?):\/\/)?(.*?)\/*$/i.exec(text) ?? [];
  const base = `${text.replace(/\/+$/, '')}/`;
  if (!isHost(rest)) {
    throw new RegistryError(
      'NAME_INVALID',
      `not a registry: ${JSON.stringify(text.slice(0, 160))}; such as http://localhost:5000/`,
    );
  }
  const connection = scheme === undefined ? {} : { plainHttp: scheme.toLowerCase() === 'http' };
  return { base, host: normalHost(rest), connection };
}
