import { asError } from '../../core/errors.ts';
import type { Digest } from '../../core/digest.ts';
import { formatReference, type Repository, type Tag } from '../../core/reference.ts';
import type { TagRecord } from '../tags.ts';
import type { BlobIndex } from './blob-index.ts';
import { numberIn, textIn, type IndexDatabase } from './index-database.ts';
import { packed, unpacked } from './packed.ts';
import type { Pins } from './pins.ts';
import { partsOf } from './references.ts';

/** Why content is never evicted. */
export type KeepReason = 'pinned' | 'imported' | 'gone' | 'hosted';

export interface KeeperOptions {
  readonly database: IndexDatabase;
  readonly index: BlobIndex;
  readonly pins: Pins;
  /** The bytes of a stored manifest; `undefined` when it is not here. */
  readonly manifest: (digest: Digest) => Promise<Uint8Array | undefined>;
  readonly onError: (error: Error) => void;
}

/** Everything that lives here is kept under one name a round, so that no moment is without. */
const HOSTED_ROOT = 'hosted';

/**
 * Knows what is never to be evicted without looking through the store: images are noted as roots
 * when they are pinned or their upstream no longer has them, and what they consist of with them.
 */
export class Keeper {
  readonly #options: KeeperOptions;
  #round: number;
  #work: Promise<void> = Promise.resolve();
  /** What is to be kept and could not be written down, for want of room. */
  readonly #unwritten = new Set<Digest>();

  constructor(options: KeeperOptions) {
    this.#options = options;
    this.#round = numberIn(options.database.get('SELECT max(round) AS round FROM roots'), 'round');
  }

  /** What a tag means from now on, or that it is no more. */
  tagged(repository: Repository, tag: Tag, record: TagRecord | undefined): void {
    const name = formatReference(repository, tag);
    if (record === undefined) return this.#drop(name);
    const pinned = this.#options.pins.byTag(repository, tag);
    const reason = pinned ? 'pinned' : record.goneSince === undefined ? undefined : 'gone';
    if (reason === undefined) this.#drop(name);
    else this.#keep(name, reason, record.descriptor.digest);
  }

  /** A repository may serve the manifest from now on. */
  linked(repository: Repository, digest: Digest): void {
    if (!this.#options.pins.byDigest(repository, digest)) return;
    this.#keep(formatReference(repository, digest), 'pinned', digest);
  }

  /** The manifest was imported: it stays with everything it lists until it is dropped. */
  imported(repository: Repository, digest: Digest, state: 'kept' | 'dropped'): void {
    const name = importRoot(repository, digest);
    if (state === 'kept') this.#keep(name, 'imported', digest);
    else this.#drop(name);
  }

  /** Content has come into the store: if it is a manifest of something kept, so is what it lists. */
  stored(digest: Digest): void {
    const sql = 'SELECT root FROM kept WHERE digest = ? AND open = 1';
    for (const row of this.#options.database.all(sql, packed(digest))) {
      this.#expand(numberIn(row, 'root'));
    }
  }

  /** Content that lives here: it is kept until `release`. */
  host(digest: Digest): void {
    const root = this.#rootOf(`${HOSTED_ROOT} ${this.#round}`, 'hosted', digest);
    this.#add(root, digest, 0);
  }

  /** The content does not live here any more. */
  release(digest: Digest): void {
    const { database } = this.#options;
    this.#unwritten.delete(digest);
    const { changes } = database.run(
      `DELETE FROM kept WHERE digest = ? AND root IN (SELECT id FROM roots WHERE reason = 'hosted')`,
      packed(digest),
    );
    if (changes !== 0) this.#unmark(digest);
  }

  /** Why the content is kept, what people have said first; `undefined` if it is not. */
  why(digest: Digest): { readonly reason: string; readonly name: string } | undefined {
    if (this.#unwritten.has(digest)) return { reason: 'not written down', name: '' };
    const row = this.#options.database.get(
      'SELECT r.reason AS reason, r.name AS name FROM kept k JOIN roots r ON r.id = k.root WHERE k.digest = ? ORDER BY r.reason DESC LIMIT 1',
      packed(digest),
    );
    return row && { reason: textIn(row, 'reason'), name: textIn(row, 'name') };
  }

  /** Begins to go through all tags and links: what is not named again until `endRound` is kept no more. */
  beginRound(): void {
    this.#round += 1;
  }

  async endRound(): Promise<void> {
    const { database } = this.#options;
    const stale = database.all('SELECT name FROM roots WHERE round < ?', this.#round);
    for (const row of stale) this.#drop(textIn(row, 'name'));
    for (const row of database.all('SELECT DISTINCT root FROM kept WHERE open = 1')) {
      this.#expand(numberIn(row, 'root'));
    }
    await this.settled();
  }

  /** Settles when everything that was told has been followed to its parts. */
  async settled(): Promise<void> {
    let work: Promise<void>;
    do {
      work = this.#work;
      await work;
    } while (work !== this.#work);
  }

  #keep(name: string, reason: KeepReason, digest: Digest): void {
    const { database } = this.#options;
    const known = database.get('SELECT id, digest, reason, round FROM roots WHERE name = ?', name);
    if (known !== undefined && unpacked(known['digest']) === digest) {
      if (numberIn(known, 'round') === this.#round && known['reason'] === reason) return;
      const sql = 'UPDATE roots SET reason = ?, round = ? WHERE id = ?';
      database.run(sql, reason, this.#round, numberIn(known, 'id'));
      return;
    }
    if (known !== undefined) this.#drop(name);
    const root = this.#rootOf(name, reason, digest);
    this.#add(root, digest, 1);
    this.#expand(root);
  }

  #rootOf(name: string, reason: KeepReason, digest: Digest): number {
    const { database } = this.#options;
    database.run(
      'INSERT OR IGNORE INTO roots (name, reason, digest, round) VALUES (?, ?, ?, ?)',
      name,
      reason,
      packed(digest),
      this.#round,
    );
    return numberIn(database.get('SELECT id FROM roots WHERE name = ?', name), 'id');
  }

  #drop(name: string): void {
    const { database } = this.#options;
    const root = database.get('SELECT id FROM roots WHERE name = ?', name);
    if (root === undefined) return;
    const id = numberIn(root, 'id');
    database.batch(() => {
      const sql = 'DELETE FROM kept WHERE root = ? RETURNING digest';
      const freed = database.all(sql, id).map((row) => unpacked(row['digest']));
      database.run('DELETE FROM roots WHERE id = ?', id);
      for (const digest of freed) this.#unmark(digest);
    });
  }

  #unmark(digest: Digest): void {
    const { database, index } = this.#options;
    const still = database.get(
      'SELECT 1 AS found FROM kept WHERE digest = ? LIMIT 1',
      packed(digest),
    );
    if (still === undefined) index.mark(digest, 'evictable');
  }

  #add(root: number, digest: Digest, open: 0 | 1): void {
    const { database, index } = this.#options;
    const key = packed(digest);
    const sql = 'INSERT OR IGNORE INTO kept (digest, root, open) VALUES (?, ?, ?)';
    const written = database.run(sql, key, root, open).changes !== 0;
    const known = 'SELECT 1 AS found FROM kept WHERE digest = ? AND root = ?';
    if (!written && database.get(known, key, root) === undefined) this.#unwritten.add(digest);
    index.mark(digest, 'kept');
  }

  #expand(root: number): void {
    this.#work = this.#work
      .then(() => this.#follow(root))
      .catch((error: unknown) => this.#options.onError(asError(error)));
  }

  /** Notes the parts of every manifest of the root that is here; the others are waited for. */
  async #follow(root: number): Promise<void> {
    const { database, manifest } = this.#options;
    const absent = new Set<Digest>();
    for (;;) {
      const open = database
        .all('SELECT digest FROM kept WHERE root = ? AND open = 1', root)
        .map((row) => unpacked(row['digest']))
        .filter((digest) => !absent.has(digest));
      if (open.length === 0) return;
      for (const digest of open) {
        const bytes = await manifest(digest);
        if (bytes === undefined) absent.add(digest);
        else this.#close(root, digest, bytes);
      }
    }
  }

  #close(root: number, digest: Digest, bytes: Uint8Array): void {
    const { database } = this.#options;
    database.batch(() => {
      const sql = 'UPDATE kept SET open = 0 WHERE digest = ? AND root = ?';
      // The root may have been dropped meanwhile.
      if (database.run(sql, packed(digest), root).changes === 0) return;
      for (const part of partsOf(bytes))
        this.#add(root, part.digest, part.kind === 'manifest' ? 1 : 0);
    });
  }
}

/** What an imported manifest is kept under: apart from tags and pins, which come and go. */
export function importRoot(repository: Repository, digest: Digest): string {
  return `imported ${formatReference(repository, digest)}`;
}
