import { interrupted } from './copy/reading.ts';

/**
 * Waits no longer than until the signal comes; what was asked for then goes on by itself.
 * @throws RegistryError INTERRUPTED, or the signal's reason if that is one; what it throws itself
 */
export async function untilAborted<T>(signal: AbortSignal, ask: () => Promise<T>): Promise<T> {
  if (signal.aborted) throw interrupted(signal);
  const ended = Promise.withResolvers<never>();
  const end = (): void => ended.reject(interrupted(signal));
  signal.addEventListener('abort', end);
  try {
    return await Promise.race([ask(), ended.promise]);
  } finally {
    signal.removeEventListener('abort', end);
  }
}
