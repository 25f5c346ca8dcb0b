import { randomBytes } from 'node:crypto';
import { existsSync, rmSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { pathToFileURL } from 'node:url';
import { RegistryError } from '../core/errors.ts';

/** Where processes that share a folder have their locks. */
export interface Owners {
  /** What messages call the place. */
  readonly owners: string;
  /** The file that whoever has that name holds. */
  owner(id: string): string;
}

/** This process among those that share a folder. */
export interface Owner extends Disposable {
  readonly id: string;
}

/** Names are random, so the second one is for the case that somebody took the first for an orphan's. */
const ATTEMPTS = 8;

/** SQLite's result code for a lock that another one holds (https://sqlite.org/rescode.html). */
const SQLITE_BUSY = 5;

/**
 * Makes this process known to the others until it is disposed or the process ends, however it ends:
 * the lock is SQLite's, and so the operating system's own. There is no process number to be mistaken,
 * across containers neither, and no time after which somebody counts as gone.
 * @throws Error of Node or of SQLite where files cannot be made or locked
 */
export function becomeOwner(folder: Owners): Owner {
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const id = randomBytes(12).toString('hex');
    const name = folder.owner(id);
    using unused = new DisposableStack();
    const database = unused.adopt(new DatabaseSync(name), (opened) => opened.close());
    // Until the lock is there somebody may have taken it for one that was left behind.
    if (lock(database) === 'busy' || !existsSync(name)) continue;
    unused.move();
    return {
      id,
      [Symbol.dispose]: () => {
        rmSync(name, { force: true });
        database.close();
      },
    };
  }
  throw new RegistryError('STORAGE_UNAVAILABLE', `cannot lock a file in ${folder.owners}`);
}

/** Whether nobody of that name lives any more. When in doubt, somebody does. What it left is removed. */
export function isGone(folder: Owners, id: string): boolean {
  const name = folder.owner(id);
  if (!existsSync(name)) return true;
  const address = pathToFileURL(name);
  // Looking must not make the file.
  address.searchParams.set('mode', 'rw');
  let database: DatabaseSync;
  try {
    database = new DatabaseSync(address);
  } catch {
    return !existsSync(name);
  }
  try {
    if (lock(database) === 'busy') return false;
    rmSync(name, { force: true });
    return true;
  } catch {
    return false;
  } finally {
    database.close();
  }
}

/** Takes the lock of a file that holds nothing else. @throws Error of SQLite for other reasons than that somebody has it */
export function lock(database: DatabaseSync): 'taken' | 'busy' {
  try {
    // A journal on disk would be one more file to be left behind.
    database.exec('PRAGMA journal_mode = MEMORY');
    database.exec('BEGIN IMMEDIATE');
    return 'taken';
  } catch (error) {
    const code = error instanceof Error && 'errcode' in error ? Number(error.errcode) & 0xff : 0;
    if (code === SQLITE_BUSY) return 'busy';
    throw error;
  }
}
