import { mkdirSync, statSync } from 'node:fs';
import { mkdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { systemCode } from '../core/errors.ts';

/** Attempts where others remove, at the same time, what has just been made. */
const ATTEMPTS = 10;

/**
 * Makes a folder and those above it, if need be; gives the topmost that it made, `undefined` where all
 * were there. Node's own way of doing that never ends, and cannot be stopped, below a folder that takes
 * no other and says that it is not there, as `/proc` does.
 * @throws Error of Node
 */
export async function makeFolder(folder: string, mode = 0o777): Promise<string | undefined> {
  const place = path.resolve(folder);
  let first: string | undefined;
  for (let attempt = 1; ; attempt += 1) {
    try {
      await mkdir(place, mode);
      return first ?? place;
    } catch (error) {
      if (systemCode(error) !== 'ENOENT') {
        if (await isFolder(place)) return first;
        throw error;
      }
      const above = path.dirname(place);
      if (above === place || attempt === ATTEMPTS) throw error;
      first = (await makeFolder(above, mode)) ?? first;
    }
  }
}

/** The same for who cannot wait. @throws Error of Node */
export function makeFolderNow(folder: string): void {
  const place = path.resolve(folder);
  for (let attempt = 1; ; attempt += 1) {
    try {
      return mkdirSync(place);
    } catch (error) {
      if (systemCode(error) !== 'ENOENT') {
        if (isFolderNow(place)) return;
        throw error;
      }
      const above = path.dirname(place);
      if (above === place || attempt === ATTEMPTS) throw error;
      makeFolderNow(above);
    }
  }
}

async function isFolder(place: string): Promise<boolean> {
  return await stat(place).then(
    (found) => found.isDirectory(),
    () => false,
  );
}

function isFolderNow(place: string): boolean {
  return statSync(place, { throwIfNoEntry: false })?.isDirectory() === true;
}
