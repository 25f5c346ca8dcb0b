import type { Repository } from './reference.ts';

/**
 * The `host` of repositories that live here. No registry can be called this: the name is outside of
 * the grammar, so nothing a client says leads here by accident.
 */
export const HOSTED = '_hosted';

/** Whether the repository lives here and can be written, rather than being a mirror of another one. */
export function isHosted(repository: Repository): boolean {
  return repository.host === HOSTED;
}
