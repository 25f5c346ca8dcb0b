import { DatabaseSync } from 'node:sqlite';
import { RegistryError, systemCode } from '../core/errors.ts';
import type { Paths } from './paths.ts';

/** Who serves a store. */
export interface Holder {
  readonly pid: number;
  /** Where its administration listens. */
  readonly admin: string;
}

/** Another process has the store. */
export class StoreLocked extends RegistryError {
  constructor(message: string, cause: unknown) {
    super('STORAGE_UNAVAILABLE', message, { cause });
  }
}

/**
 * Claims the store for this process until it is disposed or the process ends, however it ends. The
 * lock is SQLite's, and so the operating system's own: it works across containers on one machine,
 * and nothing stale is ever left behind.
 * @throws StoreLocked naming the process that has it, or RegistryError STORAGE_UNAVAILABLE
 */
export function lockStore(paths: Paths, holder: Holder): Disposable {
  const database = new DatabaseSync(paths.lock);
  try {
    // A journal on disk would need room, and the disk may be full.
    database.exec('PRAGMA journal_mode = MEMORY');
    database.exec('BEGIN IMMEDIATE');
    writeHolder(database, holder);
    database.exec('BEGIN IMMEDIATE');
  } catch (cause) {
    const held = readHolder(database);
    database.close();
    const lock = `cannot lock the store ${paths.root}`;
    if (isBusy(cause)) {
      throw new StoreLocked(`${lock}: process ${held?.pid ?? '?'} serves it`, cause);
    }
    throw new RegistryError('STORAGE_UNAVAILABLE', `${lock}: ${String(cause)}`, { cause });
  }
  return { [Symbol.dispose]: () => database.close() };
}

/**
 * Who locked the store last. Whether that process still runs only its administration can tell.
 * `undefined` where nobody ever did.
 */
export function lastHolder(paths: Paths): Holder | undefined {
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(paths.lock, { readOnly: true });
    return readHolder(database);
  } catch (error) {
    if (systemCode(error) === 'ERR_SQLITE_ERROR') return undefined;
    throw error;
  } finally {
    database?.close();
  }
}

/** Ends the transaction. Without room nothing is written: the lock holds all the same, only its name is missing. */
function writeHolder(database: DatabaseSync, { pid, admin }: Holder): void {
  try {
    database.exec('CREATE TABLE IF NOT EXISTS holder (pid INTEGER, admin TEXT)');
    database.exec('DELETE FROM holder');
    database.prepare('INSERT INTO holder VALUES (?, ?)').run(pid, admin);
    database.exec('COMMIT');
  } catch (error) {
    if (!isWriteFailure(error)) throw error;
    if (database.isTransaction) database.exec('ROLLBACK');
  }
}

/** SQLite's result codes for a disk that is full, or over its quota (https://sqlite.org/rescode.html). */
function isWriteFailure(error: unknown): boolean {
  if (!(error instanceof Error) || !('errcode' in error)) return false;
  const code = Number(error.errcode) & 0xff;
  return code === 13 || code === 10;
}

/** SQLite's result code for a database that another process writes. */
function isBusy(error: unknown): boolean {
  return error instanceof Error && 'errcode' in error && (Number(error.errcode) & 0xff) === 5;
}

function readHolder(database: DatabaseSync): Holder | undefined {
  try {
    const row = database.prepare('SELECT pid, admin FROM holder').get();
    if (row === undefined || typeof row['pid'] !== 'number') return undefined;
    return { pid: row['pid'], admin: String(row['admin']) };
  } catch (error) {
    if (systemCode(error) === 'ERR_SQLITE_ERROR') return undefined;
    throw error;
  }
}
