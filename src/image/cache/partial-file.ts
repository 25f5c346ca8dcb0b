import { rmSync } from 'node:fs';
import { chmod, constants, copyFile, rm, stat, truncate } from 'node:fs/promises';

/** What another process has written by now, which goes on writing perhaps. */
export async function copyGrowing(from: string, to: string): Promise<void> {
  try {
    await copyFile(from, to, constants.COPYFILE_FICLONE);
    await chmod(to, 0o644);
    const [source, copy] = await Promise.all([stat(from), stat(to)]);
    // One that began anew meanwhile has something in it that nobody knows.
    if (source.size < copy.size) await truncate(to, 0);
  } catch (error) {
    await truncate(to, 0);
    throw error;
  }
}

/** Of a file that does not even begin to grow. */
export async function removeEmpty(name: string): Promise<void> {
  if ((await stat(name)).size === 0) await rm(name, { force: true });
}

/** At once, and whatever comes of it. */
export function removeQuietly(name: string): void {
  try {
    rmSync(name, { force: true });
  } catch {
    // The folder is as unusable as it was: `trim` meets the file again.
  }
}
