import { randomUUID } from 'node:crypto';
import { lstat, readdir, unlink } from 'node:fs/promises';
import path from 'node:path';
import { systemCode } from '../core/errors.ts';
import type { Owners } from './owner.ts';
import { removeTree } from './remove-tree.ts';

/**
 * A name for a file or folder that is on its way to its own. Nothing is there yet; whoever has it
 * removes what it makes there, and disposes the spot then.
 */
export interface Spot extends Disposable {
  readonly name: string;
}

/** Bytes of the name that shows in those of what is unfinished; file systems take 255 in all. */
const SHOWN = 100;

/**
 * ```
 * .<base>.<owner>.partial    on its way
 * .<base>.<owner>.lock       locked by the process for as long as it lives
 * ```
 *
 * What killed processes have left of the same base is removed, as `sweep` does. Where files cannot be
 * locked, nobody ever takes it for left behind.
 */
export async function spotFor(folder: string, base: string): Promise<Spot> {
  await sweep(folder, base);
  const { place, owners } = namesOf(folder, base);
  // Loaded when something is written: SQLite is a millisecond that who only reads need not spend.
  const { becomeOwner } = await import('./owner.ts');
  try {
    const owner = becomeOwner(owners);
    const held = new DisposableStack();
    held.use(owner);
    return { name: place(owner.id, 'partial'), [Symbol.dispose]: () => held.dispose() };
  } catch {
    // Whether anything can be written here is for whoever writes to find out.
    return { name: place(randomUUID(), 'partial'), [Symbol.dispose]() {} };
  }
}

/**
 * Removes what processes that were killed have left on its way to the base. Whose lock is held is left
 * alone.
 */
export async function sweep(folder: string, base: string): Promise<void> {
  const { shown, place, owners } = namesOf(folder, base);
  const ids = await idsIn(folder, shown);
  if (ids.length === 0) return;
  const { isGone } = await import('./owner.ts');
  for (const id of ids) if (isGone(owners, id)) await remove(place(id, 'partial'));
}

interface Names {
  readonly shown: string;
  readonly owners: Owners;
  readonly place: (id: string, kind: 'partial' | 'lock') => string;
}

function namesOf(folder: string, base: string): Names {
  const start = Buffer.from(base).subarray(0, SHOWN).toString();
  const shown = start.replace(/\uFFFD+$/, '');
  const place: Names['place'] = (id, kind) => path.join(folder, `.${shown}.${id}.${kind}`);
  return { shown, place, owners: { owners: folder, owner: (id) => place(id, 'lock') } };
}

/** Who has, or had, something of that base on its way. */
async function idsIn(folder: string, shown: string): Promise<readonly string[]> {
  const start = `.${shown}.`;
  const names = await readdir(folder).catch(() => []);
  const ids = names.flatMap((name) => {
    if (!name.startsWith(start)) return [];
    const [, id] = /^([0-9a-f]{24})\.(?:partial|lock)$/.exec(name.slice(start.length)) ?? [];
    return id === undefined ? [] : [id];
  });
  return [...new Set(ids)];
}

/** What cannot be removed stays: it is in nobody's way. */
async function remove(name: string): Promise<void> {
  try {
    if ((await lstat(name)).isDirectory()) await removeTree(name);
    else await unlink(name);
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
  }
}
