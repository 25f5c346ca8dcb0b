import { LRUCache } from 'lru-cache';
import { mkdir, open, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { systemCode } from '../core/errors.ts';
import { Serial } from './serial.ts';
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

/** Makes a folder and those above it, if need be; settles when the disk knows of them. */
async function makeFolder(folder: string): Promise<void> {
  // One after the other: who finds a folder there must not go on before the one who made it is through.
  await making.run('', async () => {
    if (made.has(folder)) return;
    const first = await mkdir(folder, { recursive: true });
    const top = path.dirname(first ?? folder);
    for (let parent = path.dirname(folder); ; parent = path.dirname(parent)) {
      await syncFolder(parent);
      if (parent === top) break;
    }
    made.set(folder, true);
  });
}

/**
 * Writes the text beside where it is to be, down to the disk; gives the name, for `rename`. A
 * leading dot keeps that out of every grammar: no tag, name or digest begins with one.
 */
export async function stage(name: string, text: string): Promise<string> {
  counter += 1;
  const folder = path.dirname(name);
  const temporary = path.join(folder, `.${process.pid}-${counter}.staged`);
  try {
    if (!made.has(folder)) await makeFolder(folder);
    try {
      await writeFile(temporary, text, { flush: true });
    } catch (error) {
      if (systemCode(error) !== 'ENOENT') throw error;
      // Somebody has tidied up behind our back.
      made.delete(folder);
      await makeFolder(folder);
      await writeFile(temporary, text, { flush: true });
    }
  } catch (error) {
    await absent(rm(temporary));
    throw error;
  }
  return temporary;
}

/** Replaces a small file whole; settles when the disk has it, name and all. */
export async function replaceDurably(name: string, text: string): Promise<void> {
  const staged = await stage(name, text);
  try {
    await rename(staged, name);
  } catch (error) {
    await rm(staged, { force: true });
    throw error;
  }
  await syncFolder(path.dirname(name));
}

/** Removes a file, if it is there; settles when the disk has forgotten it. */
export async function removeDurably(name: string): Promise<void> {
  const gone = await absent(rm(name).then(() => true));
  if (gone === true) await syncFolder(path.dirname(name));
}
