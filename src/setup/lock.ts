import { existsSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { RegistryError } from '../core/errors.ts';

/** Milliseconds that another process may take with the same files. */
const PATIENCE = 10_000;

/** The file may be removed while one waits for it; somebody else then begins with a new one. */
const ATTEMPTS = 8;

/**
 * Has the file for this process until it is disposed or the process ends, however it ends: the lock is
 * SQLite's, and so the operating system's own.
 * @throws RegistryError STORAGE_UNAVAILABLE when another process goes on and on
 */
export function lockFile(path: string, make: () => Promise<void>): Promise<Disposable> {
  const attempt = async (left: number): Promise<Disposable> => {
    await make();
    const database = new DatabaseSync(path, { timeout: PATIENCE });
    try {
      database.exec('BEGIN EXCLUSIVE');
    } catch (cause) {
      database.close();
      throw new RegistryError('STORAGE_UNAVAILABLE', `another process has ${path}`, { cause });
    }
    if (existsSync(path) || left === 0) return { [Symbol.dispose]: () => database.close() };
    database.close();
    return attempt(left - 1);
  };
  return attempt(ATTEMPTS);
}
