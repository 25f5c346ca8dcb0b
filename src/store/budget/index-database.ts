import { existsSync } from 'node:fs';
import type {
  DatabaseSync,
  SQLInputValue,
  SQLOutputValue,
  StatementResultingChanges,
  StatementSync,
} from 'node:sqlite';
import { openDatabase, readDatabase, removeDatabase, type OpenedDatabase } from './database.ts';

export type Row = Readonly<Record<string, SQLOutputValue>>;

export interface IndexDatabaseOptions {
  readonly file: string;
  /** `read`: as another process left it, or empty; nothing on the disk changes. */
  readonly access?: 'write' | 'read';
  /** Something could not be written down for want of room and the like: the index is behind from now on. */
  readonly onError?: (error: unknown) => void;
  /** The index was damaged or deleted, and an empty one has taken its place. */
  readonly onLost?: () => void;
}

/** SQLite's result codes (https://sqlite.org/rescode.html): the file is not what it was. */
const DAMAGED = new Set([11, 26]);
/** It cannot be read or written at the moment: busy, read-only, I/O error, full, cannot be opened. */
const UNUSABLE = new Set([5, 8, 10, 13, 14]);

/**
 * A database that may be lost at any time: whoever uses it names what holds in its absence, and no
 * failure of it is a failure of theirs.
 */
export class IndexDatabase {
  readonly #options: IndexDatabaseOptions;
  readonly #statements = new Map<string, StatementSync>();
  #database: DatabaseSync;
  #inside = false;
  #closed = false;
  /** Whether it held something when it was opened. */
  readonly origin: 'found' | 'new';

  constructor(options: IndexDatabaseOptions) {
    this.#options = options;
    const { database, origin } = this.#open();
    this.#database = database;
    this.origin = origin;
  }

  run(sql: string, ...values: SQLInputValue[]): StatementResultingChanges {
    const nothing = { changes: 0, lastInsertRowid: 0 };
    return this.#attempt<StatementResultingChanges>(nothing, () => this.#of(sql).run(...values));
  }

  get(sql: string, ...values: SQLInputValue[]): Row | undefined {
    return this.#attempt<Row | undefined>(undefined, () => this.#of(sql).get(...values));
  }

  all(sql: string, ...values: SQLInputValue[]): readonly Row[] {
    return this.#attempt<readonly Row[]>([], () => this.#of(sql).all(...values));
  }

  /** All of what the task does, or nothing. */
  batch(task: () => void): void {
    if (this.#inside) return task();
    this.#attempt(undefined, () => {
      this.#inside = true;
      try {
        this.#database.exec('BEGIN');
        task();
        this.#database.exec('COMMIT');
      } catch (error) {
        if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
        throw error;
      } finally {
        this.#inside = false;
      }
    });
  }

  /** Finds out whether somebody has deleted it. */
  look(): void {
    if (this.#closed || this.#options.access === 'read') return;
    // One in memory has no place: there was no room for a file.
    if (!this.#database.location()) return;
    if (!existsSync(this.#options.file)) this.#lose();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#statements.clear();
    try {
      // One file again, which can be read without a trace.
      if (this.#options.access !== 'read') this.#database.exec('PRAGMA journal_mode = DELETE');
    } catch (error) {
      this.#options.onError?.(error);
    } finally {
      this.#database.close();
    }
  }

  #of(sql: string): StatementSync {
    const known = this.#statements.get(sql);
    if (known !== undefined) return known;
    const prepared = this.#database.prepare(sql);
    this.#statements.set(sql, prepared);
    return prepared;
  }

  #attempt<T>(otherwise: T, task: () => T): T {
    if (this.#closed) return otherwise;
    if (this.#inside) return task();
    try {
      return task();
    } catch (error) {
      const code = resultCode(error);
      if (DAMAGED.has(code)) this.#lose();
      else if (UNUSABLE.has(code)) this.#options.onError?.(error);
      else throw error;
      return otherwise;
    }
  }

  #lose(): void {
    this.#statements.clear();
    try {
      this.#database.close();
    } catch {
      // It is given up as it is.
    }
    const { file, access, onError, onLost } = this.#options;
    try {
      if (access !== 'read') removeDatabase(file);
    } catch (error) {
      onError?.(error);
    }
    this.#database = this.#open('lost').database;
    onLost?.();
  }

  #open(before: 'untouched' | 'lost' = 'untouched'): OpenedDatabase {
    const { file, access, onError } = this.#options;
    if (access !== 'read') return openDatabase(file, onError);
    const found = before === 'untouched' ? readDatabase(file) : undefined;
    return found === undefined
      ? openDatabase(':memory:', onError)
      : { database: found, origin: 'found' };
  }
}

function resultCode(error: unknown): number {
  if (!(error instanceof Error) || !('errcode' in error)) return -1;
  return Number(error.errcode) & 0xff;
}

/** A column that holds a number. */
export function numberIn(row: Row | undefined, column: string): number {
  const value = row?.[column];
  return typeof value === 'number' ? value : 0;
}

/** A column that holds text. */
export function textIn(row: Row | undefined, column: string): string {
  const value = row?.[column];
  return typeof value === 'string' ? value : '';
}
