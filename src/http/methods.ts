import { RegistryError } from '../core/errors.ts';

export type Method = 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

/** UNSUPPORTED (405), with the methods that would do in `Allow` (RFC 9110 section 15.5.6). */
export function notAllowed(method: string, allow: readonly Method[]): RegistryError {
  return new RegistryError('UNSUPPORTED', `${method} is not served here`, { detail: { allow } });
}

export function isReading(method: string): boolean {
  return method === 'GET' || method === 'HEAD';
}
