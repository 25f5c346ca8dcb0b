import type { Digest } from '../../core/digest.ts';
import type { Repository } from '../../core/reference.ts';
import { numberIn, type IndexDatabase, type Row } from './index-database.ts';
import { LinkIndex } from './link-index.ts';
import { Names, UNNAMED } from './names.ts';
import { packed, unpacked } from './packed.ts';

/** What is known of stored content. */
export interface Stored {
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
  /** When somebody last asked for it, in the store's time (`StoreClock`). */
  readonly accessed: number;
}

/** Where an earlier look at the oldest ended: what was passed over is not looked at again. */
export interface Position {
  readonly accessed: number;
  readonly id: number;
}

export interface Candidate extends Stored {
  readonly position: Position;
}

export interface OldestOptions {
  readonly kind: Kind;
  /** That of one upstream alone; left out, that of all. */
  readonly host?: string | undefined;
  /** `nobody`: only what no repository has ever had a link to. */
  readonly owner?: 'nobody' | undefined;
  readonly after: Position;
  readonly limit: number;
}

export type Kind = 'blob' | 'manifest';

export interface Totals {
  readonly bytes: number;
  readonly objects: number;
}

const ADD = `
  INSERT INTO blobs (digest, size, stored, accessed, host, manifest, kept)
  SELECT ?1, ?2, ?3, ?4,
    coalesce((SELECT r.host FROM links l JOIN repositories r ON r.id = l.repository
      WHERE l.digest = ?1 LIMIT 1), ${UNNAMED}),
    coalesce((SELECT max(manifest) FROM links WHERE digest = ?1), 0),
    EXISTS (SELECT 1 FROM kept WHERE digest = ?1)
  WHERE true ON CONFLICT (digest) DO UPDATE SET size = excluded.size`;

const OLDEST = `
  SELECT id, digest, size, accessed FROM blobs
  WHERE kept = 0 AND manifest = ? AND host = ? AND (accessed, id) > (?, ?)
  ORDER BY accessed, id LIMIT ?`;

/** Every stored blob with its size, age and owner, on disk: a million of them take no memory here. */
export class BlobIndex {
  readonly #database: IndexDatabase;
  readonly #names: Names;
  readonly links: LinkIndex;
  readonly #owned = new Map<number, number>();
  #kept = 0;
  #unlinked = 0;
  #counted: Totals = { bytes: 0, objects: 0 };

  constructor(database: IndexDatabase) {
    this.#database = database;
    this.#names = new Names(database);
    this.links = new LinkIndex(database, this.#names);
    this.recount();
  }

  /** Adds everything up, which for a million rows takes a fraction of a second. */
  recount(): Totals {
    const rows = this.#database.all(
      'SELECT host, kept, count(*) AS objects, sum(size) AS bytes FROM blobs GROUP BY host, kept',
    );
    this.#names.forget();
    this.#owned.clear();
    let [bytes, objects, kept, unlinked] = [0, 0, 0, 0];
    for (const row of rows) {
      const [host, size] = [numberIn(row, 'host'), numberIn(row, 'bytes')];
      this.#owned.set(host, (this.#owned.get(host) ?? 0) + size);
      bytes += size;
      objects += numberIn(row, 'objects');
      if (numberIn(row, 'kept') !== 0) kept += size;
      else if (host === UNNAMED) unlinked += size;
    }
    this.#kept = kept;
    this.#unlinked = unlinked;
    this.#counted = { bytes, objects };
    return this.#counted;
  }

  /** What there was when it was added up last. */
  get counted(): Totals {
    return this.#counted;
  }

  /** Bytes of what is never to be evicted. */
  get keptBytes(): number {
    return this.#kept;
  }

  /** Bytes that no repository has ever had a link to, and that nothing keeps. */
  get unlinkedBytes(): number {
    return this.#unlinked;
  }

  /** Bytes that came from the upstream first. */
  bytesOf(host: string): number {
    return this.#owned.get(this.#names.host(host)) ?? 0;
  }

  get(digest: Digest): (Stored & { readonly stored: number }) | undefined {
    const row = this.#database.get('SELECT * FROM blobs WHERE digest = ?', packed(digest));
    return row && { ...storedIn(row), stored: numberIn(row, 'stored') };
  }

  /** Notes content; `stored` in milliseconds since 1970, `accessed` in the store's time. Tells whether it is news. */
  add(digest: Digest, size: number, stored: number, accessed: number): 'new' | 'known' {
    const before = this.get(digest);
    if (before?.size === size) return 'known';
    const key = packed(digest);
    this.#database.run(ADD, key, size, stored, accessed);
    const row = this.#database.get('SELECT host, kept FROM blobs WHERE digest = ?', key);
    this.#account(row, size - (before?.size ?? 0));
    return before === undefined ? 'new' : 'known';
  }

  remove(digest: Digest): void {
    const row = this.#database.get(
      'DELETE FROM blobs WHERE digest = ? RETURNING host, kept, size',
      packed(digest),
    );
    this.#account(row, -numberIn(row, 'size'));
  }

  /** Notes when content was asked for. */
  access(batch: readonly (readonly [Digest, number])[]): void {
    this.#database.batch(() => {
      for (const [digest, time] of batch) {
        this.#database.run('UPDATE blobs SET accessed = ? WHERE digest = ?', time, packed(digest));
      }
    });
  }

  /** What may be evicted, by when it was last asked for. */
  oldest({ kind, host, owner, after, limit }: OldestOptions): readonly Candidate[] {
    const all = owner === 'nobody' ? [UNNAMED] : [...this.#owned.keys()];
    const hosts = host === undefined ? all : [this.#names.host(host)];
    const manifest = kind === 'manifest' ? 1 : 0;
    return hosts
      .flatMap((id) =>
        this.#database.all(OLDEST, manifest, id, after.accessed, after.id, limit).map(candidateIn),
      )
      .toSorted(byPosition)
      .slice(0, limit);
  }

  /** Marks content as never to be evicted, or takes the mark away. */
  mark(digest: Digest, mark: 'kept' | 'evictable'): void {
    const kept = mark === 'kept' ? 1 : 0;
    const row = this.#database.get(
      'UPDATE blobs SET kept = ? WHERE digest = ? AND kept <> ? RETURNING host, size',
      kept,
      packed(digest),
      kept,
    );
    const change = (kept === 1 ? 1 : -1) * numberIn(row, 'size');
    this.#kept += change;
    if (row !== undefined && numberIn(row, 'host') === UNNAMED) this.#unlinked -= change;
  }

  /** Notes that the repository may serve the content. The first one's upstream owns it. */
  link(repository: Repository, digest: Digest, kind: Kind): void {
    const [key, manifest] = [packed(digest), kind === 'manifest' ? 1 : 0];
    this.#database.run(
      'INSERT OR REPLACE INTO links (digest, repository, manifest) VALUES (?, ?, ?)',
      key,
      this.#names.repository(repository),
      manifest,
    );
    const row = this.#database.get(
      `SELECT size, host, manifest, kept FROM blobs WHERE digest = ? AND (host = ${UNNAMED} OR manifest < ?)`,
      key,
      manifest,
    );
    if (row === undefined) return;
    const host = numberIn(row, 'host');
    const owner = host === UNNAMED ? this.#names.host(repository.host) : host;
    this.#database.run(
      'UPDATE blobs SET host = ?, manifest = max(manifest, ?) WHERE digest = ?',
      owner,
      manifest,
      key,
    );
    const size = numberIn(row, 'size');
    this.#own(host, -size);
    this.#own(owner, size);
    const named = host === UNNAMED && owner !== UNNAMED;
    if (named && numberIn(row, 'kept') === 0) this.#unlinked -= size;
  }

  #account(row: Row | undefined, change: number): void {
    if (row === undefined) return;
    const host = numberIn(row, 'host');
    this.#own(host, change);
    if (numberIn(row, 'kept') !== 0) this.#kept += change;
    else if (host === UNNAMED) this.#unlinked += change;
  }

  #own(host: number, change: number): void {
    this.#owned.set(host, (this.#owned.get(host) ?? 0) + change);
  }
}

function storedIn(row: Row): Stored {
  return {
    digest: unpacked(row['digest']),
    size: numberIn(row, 'size'),
    accessed: numberIn(row, 'accessed'),
  };
}

function candidateIn(row: Row): Candidate {
  const stored = storedIn(row);
  return { ...stored, position: { accessed: stored.accessed, id: numberIn(row, 'id') } };
}

function byPosition({ position: a }: Candidate, { position: b }: Candidate): number {
  return a.accessed - b.accessed || a.id - b.id;
}
