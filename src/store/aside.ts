import type { BigIntStats } from 'node:fs';
import { rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { syncFolder } from './durable.ts';
import { absent } from './small-file.ts';
import { makeFolder } from './make-folder.ts';

export interface Aside {
  /** Where the file is to be seen, and where it goes. */
  readonly from: string;
  readonly to: string;
  /** Whether the file of that name, if there is one, is the one that is meant. */
  readonly isIt: (name: string) => Promise<boolean>;
}

/**
 * Moves the file that is meant, or removes it where it cannot be moved: wrong content goes out of
 * sight also where a full disk has no room for another folder. What has taken its place stays.
 * Gives whether it was this call that took it away.
 */
export async function moveAside({ from, to, isIt }: Aside): Promise<boolean> {
  try {
    await makeFolder(path.dirname(to));
    if (!(await isIt(from))) return false;
    await rename(from, to);
  } catch {
    return (await isIt(from)) && (await absent(rm(from).then(() => true))) === true;
  }
  if (await isIt(to)) return true;
  // Something took its place between the look and the move. What may be there by now has the same
  // digest and has been checked as well, so replacing that does no harm.
  await absent(rename(to, from));
  await syncFolder(path.dirname(from));
  return false;
}

/** Tells the file apart from others that have its name later, for as long as it is open. */
export function sameFile(file: BigIntStats): (name: string) => Promise<boolean> {
  return async (name) => {
    const found = await absent(stat(name, { bigint: true }));
    return found?.ino === file.ino && found.dev === file.dev;
  };
}
