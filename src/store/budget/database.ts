import { rmSync } from 'node:fs';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { makeFolderNow } from '../make-folder.ts';

/** The form of the tables: an index of another form is made anew. */
const FORM = 1;

/** The name by which SQLite keeps a database in memory alone. */
const MEMORY = ':memory:';

const TABLES = `
  CREATE TABLE meta (key TEXT PRIMARY KEY, value ANY) STRICT, WITHOUT ROWID;
  CREATE TABLE hosts (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
  CREATE TABLE repositories (
    id INTEGER PRIMARY KEY, host INTEGER NOT NULL, path TEXT NOT NULL, UNIQUE (host, path)
  ) STRICT;
  CREATE TABLE blobs (
    id INTEGER PRIMARY KEY, digest BLOB NOT NULL UNIQUE, size INTEGER NOT NULL,
    stored INTEGER NOT NULL, accessed INTEGER NOT NULL, host INTEGER NOT NULL,
    manifest INTEGER NOT NULL, kept INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX oldest ON blobs (manifest, host, accessed) WHERE kept = 0;
  CREATE TABLE links (
    digest BLOB NOT NULL, repository INTEGER NOT NULL, manifest INTEGER NOT NULL,
    PRIMARY KEY (digest, repository)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE roots (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, reason TEXT NOT NULL,
    digest BLOB NOT NULL, round INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE kept (
    digest BLOB NOT NULL, root INTEGER NOT NULL, open INTEGER NOT NULL,
    PRIMARY KEY (digest, root)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX kept_by_root ON kept (root);
`;

export interface OpenedDatabase {
  readonly database: DatabaseSync;
  /** Whether nothing is in it yet. */
  readonly origin: 'found' | 'new';
}

/**
 * The database of the index. What it holds can be had again from the store, so one that is damaged
 * or of another form is thrown away, and nothing waits for the disk: what a power failure takes is
 * found out and made good. Where there is no room for it, it lives in memory.
 */
export function openDatabase(
  file: string,
  onError: (error: unknown) => void = () => {},
): OpenedDatabase {
  if (file === MEMORY) return create(MEMORY);
  try {
    makeFolderNow(path.dirname(file));
    const found = tryOpen(file);
    if (found !== undefined) return found;
    removeDatabase(file);
    return create(file);
  } catch (error) {
    onError(error);
    return create(MEMORY);
  }
}

export function removeDatabase(file: string): void {
  for (const suffix of ['', '-wal', '-shm']) rmSync(`${file}${suffix}`, { force: true });
}

/** The index as another process left it or keeps it at the moment, to be read; `undefined` when it cannot be. */
export function readDatabase(file: string): DatabaseSync | undefined {
  try {
    const database = new DatabaseSync(file, { readOnly: true, timeout: 1_000 });
    if (formOf(database) === FORM) return database;
    database.close();
    return undefined;
  } catch {
    return undefined;
  }
}

function tryOpen(file: string): OpenedDatabase | undefined {
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(file, { timeout: 1_000 });
    prepare(database);
    const form = formOf(database);
    if (form === FORM) return { database, origin: 'found' };
  } catch {
    // Whatever it is, it is no index.
  }
  close(database);
  return undefined;
}

function create(file: string): OpenedDatabase {
  const database = new DatabaseSync(file, { timeout: 1_000 });
  try {
    prepare(database);
    database.exec(`BEGIN; ${TABLES} PRAGMA user_version = ${FORM}; COMMIT`);
    return { database, origin: 'new' };
  } catch (error) {
    close(database);
    throw error;
  }
}

/** Readers in other processes never make it wait, and it never waits for the disk. */
function prepare(database: DatabaseSync): void {
  database.exec(`
    PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF; PRAGMA cache_size = -8192;
    PRAGMA temp_store = MEMORY; PRAGMA journal_size_limit = 8388608
  `);
}

function formOf(database: DatabaseSync): unknown {
  return database.prepare('PRAGMA user_version').get()?.['user_version'];
}

function close(database: DatabaseSync | undefined): void {
  try {
    database?.close();
  } catch {
    // There is nothing to be saved in it.
  }
}
