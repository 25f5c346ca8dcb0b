import { opendir, readdir, rm, stat } from 'node:fs/promises';
import { setImmediate } from 'node:timers/promises';
import path from 'node:path';
import { isDigest, type Digest } from '../../core/digest.ts';
import { isHosted } from '../../core/hosted.ts';
import type { Repository } from '../../core/reference.ts';
import { repositories } from '../catalog.ts';
import type { LinkStore } from '../links.ts';
import type { Paths } from '../paths.ts';
import { absent } from '../small-file.ts';
import { storedDigests } from '../stored.ts';
import type { TagStore } from '../tags.ts';
import type { BlobIndex } from './blob-index.ts';
import type { StoreClock } from './clock.ts';
import { numberIn, type IndexDatabase } from './index-database.ts';
import type { Keeper } from './keeper.ts';
import type { Ledger } from './ledger.ts';
import { packed, unpacked } from './packed.ts';

export interface ScanOptions {
  readonly paths: Paths;
  readonly database: IndexDatabase;
  readonly index: BlobIndex;
  readonly clock: StoreClock;
  readonly links: LinkStore;
  readonly tags: TagStore;
  readonly keeper: Keeper;
  readonly signal: AbortSignal;
}

/** Names looked at together: a millisecond's work or two, then others have their turn. */
const BATCH = 256;

/** Holds the index against the blobs that are there, and adds what it lacks. */
export async function scanBlobs(options: ScanOptions): Promise<void> {
  const { paths, database, signal } = options;
  const last = numberIn(database.get('SELECT max(id) AS id FROM blobs'), 'id');
  const seen = new Uint8Array(Math.ceil((last + 1) / 8));
  let batch: Digest[] = [];
  for await (const digest of storedDigests(paths)) {
    if (signal.aborted) return;
    if (batch.push(digest) < BATCH) continue;
    await lookAt(batch, seen, options);
    batch = [];
  }
  await lookAt(batch, seen, options);
  await dropUnseen(seen, last, options);
}

async function lookAt(
  batch: readonly Digest[],
  seen: Uint8Array,
  options: ScanOptions,
): Promise<void> {
  const { paths, database, index, clock } = options;
  const unknown = batch.filter((digest) => {
    const row = database.get('SELECT id FROM blobs WHERE digest = ?', packed(digest));
    const id = numberIn(row, 'id');
    if (id >> 3 < seen.length) seen[id >> 3] = (seen[id >> 3] ?? 0) | (1 << (id & 7));
    return row === undefined;
  });
  const found = await Promise.all(unknown.map((digest) => absent(stat(paths.blob(digest)))));
  database.batch(() => {
    for (const [place, digest] of unknown.entries()) {
      const file = found[place];
      if (file === undefined) continue;
      const age = Math.max(0, Date.now() - file.mtimeMs);
      index.add(digest, file.size, Math.round(file.mtimeMs), clock.now() - compressed(age));
    }
  });
  await setImmediate();
}

/**
 * Keeps the order of ages and not the ages: a system's clock that was wrong when a file was written,
 * or is wrong now, must not make everything too old at once.
 */
function compressed(age: number): number {
  return Math.round(Math.sqrt(age));
}

/** Rows that were there before the scan, and whose blob it has not met. */
async function dropUnseen(seen: Uint8Array, last: number, options: ScanOptions): Promise<void> {
  const { paths, database, index, signal } = options;
  for (let from = 0; from <= last && !signal.aborted; from += BATCH) {
    const rows = database.all(
      'SELECT id, digest FROM blobs WHERE id >= ? AND id < ?',
      from,
      Math.min(from + BATCH, last + 1),
    );
    for (const row of rows) {
      const id = numberIn(row, 'id');
      if (((seen[id >> 3] ?? 0) & (1 << (id & 7))) !== 0) continue;
      const digest = unpacked(row['digest']);
      if ((await absent(stat(paths.blob(digest)))) === undefined) index.remove(digest);
    }
    await setImmediate();
  }
}

/** Goes through what is known of repositories: who may serve what, which tags keep what. */
export async function scanRepositories(options: ScanOptions): Promise<void> {
  const { paths, keeper, signal } = options;
  keeper.beginRound();
  for (const repository of await repositories(paths)) {
    if (signal.aborted) return;
    if (isHosted(repository)) {
      await scanHosted(repository, options);
      continue;
    }
    await scanLinks(repository, options);
    await scanTags(repository, options);
    await scanImports(repository, options);
  }
  await keeper.endRound();
}

async function scanLinks(
  repository: Repository,
  { paths, index, links, keeper, signal }: ScanOptions,
): Promise<void> {
  for await (const digest of linkedDigests(paths, repository)) {
    if (signal.aborted) return;
    let kind = index.links.kindOf(repository, digest);
    if (kind === undefined) {
      const link = await links.get(repository, digest);
      if (link === undefined) continue;
      kind = link.mediaType === undefined ? 'blob' : 'manifest';
      index.link(repository, digest, kind);
    }
    if (kind === 'manifest') keeper.linked(repository, digest);
  }
}

/** Every digest that the repository has a link to, in no order. */
export function linkedDigests(paths: Paths, repository: Repository): AsyncGenerator<Digest> {
  return digestsIn(paths.links(repository));
}

async function* digestsIn(top: string): AsyncGenerator<Digest> {
  for (const algorithm of ['sha256', 'sha512']) {
    const folder = path.join(top, algorithm);
    const opened = await absent(opendir(folder, { bufferSize: BATCH }));
    for await (const { name } of opened ?? []) {
      const digest = `${algorithm}:${name}`;
      if (isDigest(digest)) yield digest;
    }
  }
}

/** What lives here is kept link by link. */
async function scanHosted(
  repository: Repository,
  { paths, keeper, signal }: ScanOptions,
): Promise<void> {
  for await (const digest of linkedDigests(paths, repository)) {
    if (signal.aborted) return;
    keeper.host(digest);
  }
}

async function scanTags(
  repository: Repository,
  { tags, keeper, signal }: ScanOptions,
): Promise<void> {
  for (const tag of await tags.list(repository)) {
    if (signal.aborted) return;
    keeper.tagged(repository, tag, await tags.get(repository, tag));
  }
}

async function scanImports(
  repository: Repository,
  { paths, keeper, signal }: ScanOptions,
): Promise<void> {
  for await (const digest of digestsIn(paths.imports(repository))) {
    if (signal.aborted) return;
    keeper.imported(repository, digest, 'kept');
  }
}

/** What downloads have left behind, and may go on with; what nobody can go on with is removed. */
export async function scanPartials(paths: Paths, ledger: Ledger): Promise<void> {
  const names = (await absent(readdir(paths.ingests))) ?? [];
  const found = await Promise.all(
    names.map(async (name) => {
      const file = path.join(paths.ingests, name);
      const digest = name.replace('-', ':');
      if (!isDigest(digest)) {
        await rm(file, { force: true, recursive: true });
        return [];
      }
      const { size, mtimeMs } = await stat(file);
      return [{ digest, size, mtimeMs }];
    }),
  );
  const oldestFirst = found.flat().toSorted((a, b) => a.mtimeMs - b.mtimeMs);
  for (const { digest, size } of oldestFirst) ledger.leave(digest, size);
}

/** Counts the pushes that are under way. */
export async function scanUploads(paths: Paths, ledger: Ledger): Promise<void> {
  for await (const { name } of (await absent(opendir(paths.uploads))) ?? []) {
    const found = await absent(stat(path.join(paths.uploads, name)));
    if (found !== undefined) ledger.upload(name, found.size);
  }
}
