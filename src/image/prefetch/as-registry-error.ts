import { asError, RegistryError, systemCode } from '../../core/errors.ts';

/** What kept an image from being stored, whatever threw it: faults of this disk are STORAGE_UNAVAILABLE. */
export function asRegistryError(error: unknown): RegistryError {
  if (error instanceof RegistryError) return error;
  const { message } = asError(error);
  return new RegistryError(
    systemCode(error) === undefined ? 'UNKNOWN' : 'STORAGE_UNAVAILABLE',
    message,
  );
}
