import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { systemCode } from '../core/errors.ts';
import { makeFolder } from './make-folder.ts';

let counter = 0;

/** Others remove empty folders, such as one that has just been made. */
const ATTEMPTS = 10;

/** What the promise gives, or `undefined` where there is no such file or folder. */
export async function absent<T>(promise: Promise<T>): Promise<T | undefined> {
  try {
    return await promise;
  } catch (error) {
    const code = systemCode(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw error;
  }
}

/**
 * Replaces a small file whole: a reader sees the old or the new one, never a part. Makes its folders.
 * Until it is whole it is in `staging`.
 */
export async function replaceFile(
  name: string,
  text: string,
  staging: string = path.dirname(name),
): Promise<void> {
  counter += 1;
  // A leading dot keeps it out of every grammar: no tag, name or digest begins with one.
  const temporary = path.join(staging, `.${process.pid}-${counter}.new`);
  try {
    await inFolder(temporary, () => writeFile(temporary, text));
    await inFolder(name, () => rename(temporary, name));
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

/** Makes the folder of the file if that is what is missing, also where others remove it meanwhile. */
async function inFolder(name: string, task: () => Promise<void>): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await task();
    } catch (error) {
      if (systemCode(error) !== 'ENOENT' || attempt === ATTEMPTS) throw error;
      await makeFolder(path.dirname(name));
    }
  }
}

/**
 * A JSON file's value as `parse` sees it. `undefined` when the file is absent, or holds what `parse`
 * does not take: such records only save requests, so a broken one is as good as none.
 */
export async function readRecord<T>(
  name: string,
  parse: (value: unknown) => T | undefined,
): Promise<T | undefined> {
  const text = await absent(readFile(name, 'utf8'));
  if (text === undefined) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  return parse(value);
}
