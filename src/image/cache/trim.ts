import { readdir, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { absent } from '../../store/small-file.ts';
import { ownerOf, type CacheFolder } from './folder.ts';
import { isGone } from '../owner.ts';

interface Entry {
  readonly name: string;
  readonly size: number;
  /** Milliseconds since the epoch. */
  readonly used: number;
}

export interface Trimmed {
  /** Bytes that are there now. */
  readonly total: number;
  readonly removed: number;
}

/** Milliseconds after which nobody is going to go on with a download that broke off. */
const PARTIAL_LIFE = 7 * 24 * 3600 * 1000;

/** How full it is afterwards, so that the next blob does not start it again. */
const LOW_WATER = 0.9;

/**
 * Removes what has not been used for longest until `maxSize` bytes are not exceeded, and partial files
 * that nobody is going to go on with. What another process reads it goes on reading: its file is
 * open. What another process writes is never touched.
 */
export async function trim(folder: CacheFolder, maxSize: number): Promise<Trimmed> {
  const blobs = (await Promise.all(folder.blobs.map(entriesIn))).flat();
  const partials = await entriesIn(folder.partials);
  const gone = new Map<string, boolean>();
  const orphans = partials.filter(({ name }) => {
    const owner = ownerOf(name);
    const known = gone.get(owner) ?? isGone(folder, owner);
    gone.set(owner, known);
    return known;
  });
  for (const { name } of await entriesIn(folder.owners)) isGone(folder, path.basename(name));
  const before = sum(blobs) + sum(partials);
  const target = before > maxSize ? maxSize * LOW_WATER : maxSize;
  let total = before;
  for (const entry of [...blobs, ...orphans].toSorted((a, b) => a.used - b.used)) {
    const stale = orphans.includes(entry) && entry.used < Date.now() - PARTIAL_LIFE;
    if (total <= target && !stale) continue;
    await rm(entry.name, { force: true });
    total -= entry.size;
  }
  return { total, removed: before - total };
}

async function entriesIn(folder: string): Promise<readonly Entry[]> {
  const entries: Entry[] = [];
  for (const base of (await absent(readdir(folder))) ?? []) {
    const name = path.join(folder, base);
    const found = await absent(stat(name));
    if (found?.isFile()) entries.push({ name, size: found.size, used: found.mtimeMs });
  }
  return entries;
}

function sum(entries: readonly Entry[]): number {
  return entries.reduce((total, { size }) => total + size, 0);
}
