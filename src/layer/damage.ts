import { RegistryError } from '../core/errors.ts';

/** What is thrown for bytes that are not what they claim to be. */
export function damaged(what: string, cause?: unknown): RegistryError {
  return new RegistryError('LAYER_INVALID', what, cause === undefined ? {} : { cause });
}

/** What is thrown where bytes are missing; `place` says where the end came. */
export function truncated(place: string): RegistryError {
  return damaged(`the archive is truncated: it ends ${place}`);
}
