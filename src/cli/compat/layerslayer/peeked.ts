import type { StatementSync } from 'node:sqlite';
import type { Descriptor } from '../../../core/descriptor.ts';
import type { TarType } from '../../../layer/tar-entry.ts';
import { parentOf, pathOf } from '../../../image/files/path.ts';
import type { Listed } from './listing.ts';
import { PeekDatabase, type Row } from './peek-database.ts';

export interface PeekedLayer {
  readonly peek: number;
  readonly entries: number;
  /** Bytes that were fetched for it. */
  readonly downloaded: number;
  /** RFC 3339. */
  readonly at: string;
}

export interface Kept extends Listed {
  /** Without `./`, `/` or anything that climbs. */
  readonly path: string;
}

/** An entry with the image that has it. */
export interface KeptInImage extends Kept {
  readonly image: string;
  readonly layer: number;
}

export interface SeenImage {
  readonly image: string;
  readonly layers: number;
  readonly peeked: number;
  /** When the last of them was, RFC 3339. */
  readonly at: string;
}

const COLUMNS = 'name, path, type, mode, uid, gid, size, mtime, link';
const INSERT = 'INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)';
const BATCH = 1000;
/** Milliseconds after which a peek that did not finish belongs to a process that is gone. */
const ABANDONED = 24 * 3600 * 1000;

/**
 * What was seen in layers, in a file that may be deleted at any time. A layer is kept under its digest, so that
 * it belongs to every image that has it.
 */
export class Peeked implements Disposable {
  readonly #database: PeekDatabase;

  /** @param file `:memory:` for nothing that lasts. @throws Error of SQLite or the system for a file that is of no use */
  constructor(file: string) {
    this.#database = new PeekDatabase(file);
    const old = Date.now() - ABANDONED;
    this.#database.run(
      'DELETE FROM entries WHERE peek IN (SELECT id FROM peeks WHERE finished IS NULL AND started < ?)',
      old,
    );
    this.#database.run('DELETE FROM peeks WHERE finished IS NULL AND started < ?', old);
  }

  /** Says which layers an image has, the base first. */
  image(image: string, layers: readonly Descriptor[]): void {
    this.#database.together(() => {
      this.#database.run('DELETE FROM images WHERE image = ?', image);
      for (const [index, { digest }] of layers.entries()) {
        this.#database.run('INSERT INTO images VALUES (?, ?, ?)', image, index, digest);
      }
    });
  }

  /** Digests of an image's layers, the base first; none for an image that nobody looked at. */
  layersOf(image: string): readonly string[] {
    const rows = this.#database.all(
      'SELECT digest FROM images WHERE image = ? ORDER BY layer',
      image,
    );
    return rows.map(({ digest }) => String(digest));
  }

  layer(digest: string): PeekedLayer | undefined {
    const [row] = this.#database.all(
      'SELECT * FROM peeks WHERE digest = ? AND finished IS NOT NULL ORDER BY id DESC LIMIT 1',
      digest,
    );
    if (row === undefined) return undefined;
    const { id, entries, downloaded, finished } = row;
    return {
      peek: Number(id),
      entries: Number(entries),
      downloaded: Number(downloaded),
      at: String(finished),
    };
  }

  /** Keeps what a layer has. Until all of it is there nobody sees any of it. */
  async keep(
    digest: string,
    entries: AsyncIterable<Listed>,
    downloaded: () => number,
  ): Promise<PeekedLayer> {
    this.#database.run('INSERT INTO peeks (digest, started) VALUES (?, ?)', digest, Date.now());
    const peek = Number(this.#database.all('SELECT last_insert_rowid() AS id')[0]?.['id']);
    const statement = this.#database.prepare(INSERT);
    let count = 0;
    try {
      let batch: Listed[] = [];
      const flush = (): void => {
        const start = count - batch.length;
        this.#database.together(() => {
          for (const [at, entry] of batch.entries())
            this.#insert(statement, peek, start + at, entry);
        });
        batch = [];
      };
      for await (const entry of entries) {
        count += 1;
        if (batch.push(entry) >= BATCH) flush();
      }
      flush();
      this.#finish(peek, digest, downloaded(), count);
    } catch (error) {
      this.#drop(peek);
      throw error;
    }
    return { peek, entries: count, downloaded: downloaded(), at: new Date().toISOString() };
  }

  /** The entries of a layer in the order of its archive. */
  *entries({ peek }: PeekedLayer): Generator<Kept, void, undefined> {
    const sql = `SELECT ${COLUMNS} FROM entries WHERE peek = ? ORDER BY ordinal`;
    for (const row of this.#database.prepare(sql).iterate(peek)) yield kept(row);
  }

  /** What lies in a folder of a layer, by path. */
  children({ peek }: PeekedLayer, folder: string): readonly Kept[] {
    const sql = `SELECT ${COLUMNS} FROM entries WHERE peek = ? AND parent = ? AND path <> '' ORDER BY path`;
    return this.#database.all(sql, peek, folder).map(kept);
  }

  /** The whiteouts of a layer, opaque ones included. */
  whiteouts({ peek }: PeekedLayer): readonly Kept[] {
    const sql = `SELECT ${COLUMNS} FROM entries WHERE peek = ? AND (path LIKE '.wh.%' OR path LIKE '%/.wh.%')`;
    return this.#database.all(sql, peek).map(kept);
  }

  /** Entries whose name holds the pattern (SQL's LIKE), of all images or one of them. */
  *search(pattern: string, image?: string, layer?: number): Generator<KeptInImage, void> {
    const sql = `SELECT ${COLUMNS}, images.image, images.layer FROM images
      JOIN peeks ON peeks.digest = images.digest AND peeks.finished IS NOT NULL
      JOIN entries ON entries.peek = peeks.id
      WHERE entries.path LIKE ? AND (? IS NULL OR images.image = ?) AND (? IS NULL OR images.layer = ?)
      ORDER BY images.image, images.layer, entries.path`;
    const [one, number] = [image ?? null, layer ?? null];
    const rows = this.#database.prepare(sql).iterate(`%${pattern}%`, one, one, number, number);
    for (const row of rows) {
      yield { ...kept(row), image: String(row['image']), layer: Number(row['layer']) };
    }
  }

  /** Images with layers that were peeked. */
  images(): readonly SeenImage[] {
    const sql = `SELECT image, count(DISTINCT layer) AS layers, count(DISTINCT peeks.digest) AS peeked,
      max(finished) AS at FROM images LEFT JOIN peeks
      ON peeks.digest = images.digest AND finished IS NOT NULL GROUP BY image HAVING peeked > 0`;
    return this.#database.all(sql).map(({ image, layers, peeked, at }) => {
      return {
        image: String(image),
        layers: Number(layers),
        peeked: Number(peeked),
        at: String(at),
      };
    });
  }

  [Symbol.dispose](): void {
    this.#database[Symbol.dispose]();
  }

  #insert(statement: StatementSync, peek: number, ordinal: number, entry: Listed): void {
    const { name, type, mode, uid, gid, size, mtime, link } = entry;
    const at = pathOf(name);
    const numbers = [mode, uid, gid, size, mtime];
    statement.run(peek, ordinal, name, at, parentOf(at), type, ...numbers, link ?? null);
  }

  #finish(peek: number, digest: string, downloaded: number, count: number): void {
    this.#database.together(() => {
      const others = 'SELECT id FROM peeks WHERE digest = ? AND finished IS NOT NULL AND id <> ?';
      this.#database.run(`DELETE FROM entries WHERE peek IN (${others})`, digest, peek);
      this.#database.run('DELETE FROM peeks WHERE digest = ? AND finished IS NOT NULL', digest);
      this.#database.run(
        'UPDATE peeks SET finished = ?, downloaded = ?, entries = ? WHERE id = ?',
        new Date().toISOString(),
        downloaded,
        count,
        peek,
      );
    });
  }

  #drop(peek: number): void {
    this.#database.run('DELETE FROM entries WHERE peek = ?', peek);
    this.#database.run('DELETE FROM peeks WHERE id = ?', peek);
  }
}

function kept(row: Row): Kept {
  const { name, path, type, mode, uid, gid, size, mtime, link } = row;
  return {
    name: String(name),
    path: String(path),
    // Written by `keep` alone.
    type: type as TarType,
    mode: Number(mode),
    uid: Number(uid),
    gid: Number(gid),
    size: Number(size),
    mtime: Number(mtime),
    link: typeof link === 'string' ? link : undefined,
  };
}
