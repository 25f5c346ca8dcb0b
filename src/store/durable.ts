import { LRUCache } from 'lru-cache';
import { open, opendir, rename, rm, rmdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { systemCode } from '../core/errors.ts';
import { Serial } from './serial.ts';
import { makeFolder } from './make-folder.ts';
import { absent } from './small-file.ts';

let counter = 0;

interface Rounds {
  readonly running: Promise<void>;
  next: Promise<void> | undefined;
}

const rounds = new Map<string, Rounds>();

/**
 * Settles when the names in the folder are on the disk. Whoever asks while one round is under way
 * shares the next one: what they did may be too late for the first.
 */
export function syncFolder(folder: string): Promise<void> {
  const current = rounds.get(folder);
  if (current === undefined) return startRound(folder);
  current.next ??= current.running.then(
    () => startRound(folder),
    () => startRound(folder),
  );
  return current.next;
}

/** The same where the folder may be gone by now: then what is to be known of it stands in those above. */
export async function syncNearest(folder: string): Promise<void> {
  const synced = await absent(syncFolder(folder).then(() => true));
  if (synced === undefined) await syncNearest(path.dirname(folder));
}

function startRound(folder: string): Promise<void> {
  const running = syncNow(folder).finally(() => {
    if (rounds.get(folder) === round && round.next === undefined) rounds.delete(folder);
  });
  const round: Rounds = { running, next: undefined };
  rounds.set(folder, round);
  return running;
}

async function syncNow(folder: string): Promise<void> {
  // Windows opens no folders; NTFS keeps a journal of names.
  if (process.platform === 'win32') return;
  await using handle = await open(folder, 'r');
  await handle.sync();
}

/** Folders that the disk is known to have. */
const made = new LRUCache<string, true>({ max: 20_000 });
const making = new Serial();

/**
 * Makes a folder and those above it, if need be; settles when the disk knows of them. One after the
 * other: who finds a folder there must not go on before the one who made it is through.
 */
async function makeDurably(folder: string): Promise<void> {
  if (made.has(folder)) return;
  const first = await makeFolder(folder);
  const top = path.dirname(first ?? folder);
  for (let parent = path.dirname(folder); ; parent = path.dirname(parent)) {
    await syncFolder(parent);
    if (parent === top) break;
  }
  made.set(folder, true);
}

/** Sees to it that a file can be put in the folder; settles when the disk knows of it. */
export async function ensureFolder(folder: string): Promise<void> {
  if (!made.has(folder)) await making.run('', () => makeDurably(folder));
}

/**
 * Writes the text down to the disk under a name of its own in the folder; gives the name, for `place`.
 * A leading dot keeps that out of every grammar: no tag, name or digest begins with one.
 */
export async function stage(folder: string, text: string): Promise<string> {
  counter += 1;
  const temporary = path.join(folder, `.${process.pid}-${counter}.staged`);
  try {
    await ensureFolder(folder);
    try {
      await writeFile(temporary, text, { flush: true });
    } catch (error) {
      if (systemCode(error) !== 'ENOENT') throw error;
      // Somebody has tidied up behind our back.
      made.delete(folder);
      await ensureFolder(folder);
      await writeFile(temporary, text, { flush: true });
    }
  } catch (error) {
    await absent(rm(temporary));
    throw error;
  }
  return temporary;
}

/**
 * Moves a staged file to where it is to be, whether its folder is there or has been pruned. For the
 * disk to know the name the folder has to be synced. @throws Error of Node, ENOENT without the file
 */
export async function place(staged: string, name: string): Promise<void> {
  const folder = path.dirname(name);
  const moved = made.has(folder) && (await absent(rename(staged, name).then(() => true)));
  if (moved === true && made.has(folder)) return;
  await making.run('', async () => {
    if (moved !== true) made.delete(folder);
    await makeFolder(folder);
    if (moved !== true) await rename(staged, name);
  });
}

/** Replaces a small file whole; settles when the disk has it, name and all. Staged in that folder. */
export async function replaceDurably(
  name: string,
  text: string,
  staging: string = path.dirname(name),
): Promise<void> {
  await ensureFolder(path.dirname(name));
  const staged = await stage(staging, text);
  try {
    await place(staged, name);
  } catch (error) {
    await rm(staged, { force: true });
    throw error;
  }
  await syncFolder(path.dirname(name));
}

/** Removes a file, if it is there; settles when the disk has forgotten it. */
export async function removeDurably(name: string): Promise<void> {
  const gone = await absent(rm(name).then(() => true));
  if (gone === true) await syncNearest(path.dirname(name));
}

/**
 * Removes the folder, and those above it up to `top`, which stays, as long as they are empty. Whoever
 * is about to put something there makes them again. What cannot be removed stays.
 */
export async function prune(folder: string, top: string): Promise<void> {
  await making.run('', async () => {
    for (let at = folder; at.startsWith(top + path.sep); at = path.dirname(at)) {
      const known = made.delete(at);
      if (await removed(at)) continue;
      if (known) made.set(at, true);
      return;
    }
  });
}

/** The same for every folder below, from the innermost on. */
export async function pruneBelow(folder: string, top: string): Promise<void> {
  let inside = false;
  for await (const entry of (await absent(opendir(folder))) ?? []) {
    if (!entry.isDirectory()) return;
    inside = true;
    await pruneBelow(path.join(folder, entry.name), top);
  }
  if (!inside) await prune(folder, top);
}

async function removed(folder: string): Promise<boolean> {
  try {
    await rmdir(folder);
    return true;
  } catch (error) {
    return systemCode(error) === 'ENOENT';
  }
}
