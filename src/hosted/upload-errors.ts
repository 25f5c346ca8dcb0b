import { RegistryError } from '../core/errors.ts';

/** The upload goes on at another byte than whoever asks believes. */
export function elsewhere(offset: number): RegistryError {
  const detail = { offset };
  return new RegistryError('RANGE_INVALID', `the upload goes on at byte ${offset}`, { detail });
}

/** There is no such upload, or no more, or not of this repository. */
export function unknown(): RegistryError {
  return new RegistryError('BLOB_UPLOAD_UNKNOWN');
}
