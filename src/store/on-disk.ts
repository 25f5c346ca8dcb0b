import { RegistryError, systemCode } from '../core/errors.ts';

/**
 * Does something with the store alone, so that what the operating system refuses is the store's fault.
 * @throws RegistryError STORAGE_UNAVAILABLE in place of an error of Node; anything else as it is
 */
export async function onDisk<T>(task: () => Promise<T>): Promise<T> {
  try {
    return await task();
  } catch (cause) {
    const code = systemCode(cause);
    if (cause instanceof RegistryError || code === undefined) throw cause;
    const why = code === 'ENOSPC' || code === 'EDQUOT' ? 'there is no room left' : String(cause);
    throw new RegistryError('STORAGE_UNAVAILABLE', `cannot store: ${why}`, { cause });
  }
}
