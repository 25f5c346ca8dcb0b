import type { Digest } from '../../core/digest.ts';
import type { Repository } from '../../core/reference.ts';
import type { Kind } from './blob-index.ts';
import { numberIn, textIn, type IndexDatabase } from './index-database.ts';
import type { Names } from './names.ts';
import { packed } from './packed.ts';

/** Which repositories may serve which content, as the index has it. */
export class LinkIndex {
  readonly #database: IndexDatabase;
  readonly #names: Names;

  constructor(database: IndexDatabase, names: Names) {
    this.#database = database;
    this.#names = names;
  }

  /** As what the repository may serve the content, if that is noted. */
  kindOf({ host, path }: Repository, digest: Digest): Kind | undefined {
    const row = this.#database.get(
      `SELECT manifest FROM links WHERE digest = ? AND repository =
        (SELECT id FROM repositories WHERE host = ? AND path = ?)`,
      packed(digest),
      this.#names.host(host),
      path,
    );
    return row && (numberIn(row, 'manifest') === 1 ? 'manifest' : 'blob');
  }

  /** The repositories that may serve the content. */
  repositoriesOf(digest: Digest): readonly Repository[] {
    const rows = this.#database.all(
      `SELECT h.name AS host, r.path AS path FROM links l
        JOIN repositories r ON r.id = l.repository JOIN hosts h ON h.id = r.host WHERE l.digest = ?`,
      packed(digest),
    );
    return rows.map((row) => ({ host: textIn(row, 'host'), path: textIn(row, 'path') }));
  }

  remove({ host, path }: Repository, digest: Digest): void {
    this.#database.run(
      'DELETE FROM links WHERE digest = ? AND repository = (SELECT id FROM repositories WHERE host = ? AND path = ?)',
      packed(digest),
      this.#names.host(host),
      path,
    );
  }
}
