import { RegistryError } from '../core/errors.ts';
import type { Source } from '../core/source.ts';

/** Stands for an upstream while none is dialled: everything that is not in the store is not to be had. */
export function offlineSource(host: string): Source {
  const refuse = async (): Promise<never> => {
    throw new RegistryError(
      'OFFLINE',
      `not in the cache, and ${host} is not asked: this mirror is offline (configuration key offline)`,
    );
  };
  return {
    resolve: refuse,
    manifest: refuse,
    stat: refuse,
    blob: refuse,
    tags: refuse,
    referrers: refuse,
  };
}
