import type { Repository } from '../../core/reference.ts';
import { numberIn, type IndexDatabase } from './index-database.ts';

/** The number of a registry that nobody has named. */
export const UNNAMED = 0;

/** Short numbers in the index for the names of registries and repositories. */
export class Names {
  readonly #database: IndexDatabase;
  readonly #hosts = new Map<string, number>();

  constructor(database: IndexDatabase) {
    this.#database = database;
  }

  /** Forgets what is remembered here: the index may have become another one. */
  forget(): void {
    this.#hosts.clear();
  }

  host(name: string): number {
    const known = this.#hosts.get(name);
    if (known !== undefined) return known;
    this.#database.run('INSERT OR IGNORE INTO hosts (name) VALUES (?)', name);
    const id = numberIn(this.#database.get('SELECT id FROM hosts WHERE name = ?', name), 'id');
    if (id !== UNNAMED) this.#hosts.set(name, id);
    return id;
  }

  repository({ host, path }: Repository): number {
    const id = this.host(host);
    this.#database.run('INSERT OR IGNORE INTO repositories (host, path) VALUES (?, ?)', id, path);
    const sql = 'SELECT id FROM repositories WHERE host = ? AND path = ?';
    return numberIn(this.#database.get(sql, id, path), 'id');
  }
}
