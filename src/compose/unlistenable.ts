import { formatAddress, type Address } from '../config/address.ts';
import { RegistryError, systemCode } from '../core/errors.ts';

const REASONS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'it is in use',
  EADDRNOTAVAIL: 'it is no address of this machine',
  EACCES: 'this user may not listen there',
};

/** What to say of an address at which clients cannot be served, with the key that names it. */
export function unlistenable(error: unknown, address: Address): unknown {
  const reason = REASONS[systemCode(error) ?? ''];
  if (reason === undefined) return error;
  const message = `cannot listen at ${formatAddress(address)}, which the key listen names: ${reason}`;
  return new RegistryError('UNKNOWN', message, { cause: error });
}
