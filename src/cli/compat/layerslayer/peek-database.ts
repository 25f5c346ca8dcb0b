import { rmSync } from 'node:fs';
import path from 'node:path';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { makeFolderNow } from '../../../store/make-folder.ts';

/** Written to the file: another number means that it is made anew. */
const VERSION = 1;

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS peeks (
    id INTEGER PRIMARY KEY, digest TEXT NOT NULL, started INTEGER NOT NULL,
    finished TEXT, downloaded INTEGER, entries INTEGER);
  CREATE INDEX IF NOT EXISTS peeks_digest ON peeks (digest, finished);
  CREATE TABLE IF NOT EXISTS entries (
    peek INTEGER NOT NULL, ordinal INTEGER NOT NULL, name TEXT NOT NULL, path TEXT NOT NULL,
    parent TEXT NOT NULL, type TEXT NOT NULL, mode INTEGER NOT NULL, uid INTEGER NOT NULL,
    gid INTEGER NOT NULL, size INTEGER NOT NULL, mtime REAL NOT NULL, link TEXT,
    PRIMARY KEY (peek, ordinal)) WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS entries_parent ON entries (peek, parent);
  CREATE TABLE IF NOT EXISTS images (
    image TEXT NOT NULL, layer INTEGER NOT NULL, digest TEXT NOT NULL,
    PRIMARY KEY (image, layer)) WITHOUT ROWID;
  PRAGMA user_version = ${VERSION};
`;

export type Row = Readonly<Record<string, unknown>>;

/** The file in which peeks are kept. One that cannot be read is made anew. */
export class PeekDatabase implements Disposable {
  readonly #database: DatabaseSync;

  /** @param file `:memory:` for nothing that lasts. @throws Error of SQLite or the system for a file that is of no use */
  constructor(file: string) {
    this.#database = opened(file);
  }

  prepare(sql: string): StatementSync {
    return this.#database.prepare(sql);
  }

  run(sql: string, ...values: readonly (string | number | null)[]): void {
    this.prepare(sql).run(...values);
  }

  all(sql: string, ...values: readonly (string | number | null)[]): readonly Row[] {
    return this.prepare(sql).all(...values);
  }

  /** All of what the work does, or nothing. */
  together(work: () => void): void {
    this.#database.exec('BEGIN IMMEDIATE');
    try {
      work();
      this.#database.exec('COMMIT');
    } catch (error) {
      this.#database.exec('ROLLBACK');
      throw error;
    }
  }

  [Symbol.dispose](): void {
    this.#database.close();
  }
}

function opened(file: string): DatabaseSync {
  if (file !== ':memory:') makeFolderNow(path.dirname(file));
  try {
    return prepared(file);
  } catch (error) {
    if (file === ':memory:' || !isUnreadable(error)) throw error;
    for (const end of ['', '-wal', '-shm']) rmSync(file + end, { force: true });
    return prepared(file);
  }
}

function prepared(file: string): DatabaseSync {
  const database = new DatabaseSync(file, { timeout: 10_000 });
  try {
    database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;');
    database.exec(SCHEMA);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

/** SQLITE_CORRUPT and SQLITE_NOTADB. */
function isUnreadable(error: unknown): boolean {
  if (!(error instanceof Error) || !('errcode' in error)) return false;
  return error.errcode === 11 || error.errcode === 26;
}
