import { lstat, mkdir, open, rename, stat } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import path from 'node:path';
import { RegistryError, systemCode } from '../../core/errors.ts';
import { decodeName, encodeName, printableName } from '../../layer/name.ts';
import type { Part } from '../../layer/tar-entry.ts';
import { spotFor, sweep } from '../spot.ts';
import { removeTree } from '../remove-tree.ts';
import type { ImagePath } from './path.ts';
import { makeFolder } from '../../store/make-folder.ts';
import { absent } from '../../store/small-file.ts';

const REASONS: Readonly<Record<string, string>> = {
  ENOSPC: 'there is no room left on the disk',
  EDQUOT: 'the disk quota is used up',
  EFBIG: 'the file system takes no file that large',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EROFS: 'the file system is read-only',
  ENOTDIR: 'something on the way is no folder',
  ENAMETOOLONG: 'a name is too long for the file system',
  ENOENT: 'the folder does not exist',
};

/** Runs what writes to the disk. @throws RegistryError STORAGE_UNAVAILABLE, which says why, for errors of the system */
export async function onDisk<T>(target: string | Buffer, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    const code = systemCode(error);
    if (error instanceof RegistryError || code === undefined) throw error;
    const shown = printableName(typeof target === 'string' ? target : decodeName(target));
    throw new RegistryError(
      'STORAGE_UNAVAILABLE',
      `cannot write ${shown}: ${REASONS[code] ?? code}`,
      { cause: error },
    );
  }
}

/** The place of an image's path below a folder of the disk, to the byte. */
export function below(folder: Buffer, at: ImagePath): Buffer {
  return at === '' ? folder : Buffer.concat([folder, Buffer.from('/'), encodeName(at)]);
}

/** What is at the path itself; a link is not followed. */
export async function kindAt(
  at: string | Buffer,
): Promise<'folder' | 'file' | 'other' | undefined> {
  try {
    const stats = await lstat(at);
    if (stats.isDirectory()) return 'folder';
    return stats.isFile() ? 'file' : 'other';
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** Writes a file's bytes, holes left as holes. */
export async function writeParts(handle: FileHandle, parts: AsyncIterable<Part>): Promise<number> {
  let position = 0;
  let hole = false;
  for await (const part of parts) {
    hole = typeof part === 'number';
    if (typeof part === 'number') {
      position += part;
      continue;
    }
    for (let at = 0; at < part.length;) {
      const { bytesWritten } = await handle.write(part, at, part.length - at, position);
      at += bytesWritten;
      position += bytesWritten;
    }
  }
  if (hole) await handle.truncate(position);
  return position;
}

/** A folder of our own on the same file system as the target, gone with all that is in it when disposed. */
export interface Workshop extends AsyncDisposable {
  readonly folder: string;
}

/** @param beside a file or folder to be, whose own folder is made if need be, or a folder that exists */
export async function workshop(beside: string): Promise<Workshop> {
  return onDisk(beside, async () => {
    const { dir, base } = path.parse(path.resolve(beside));
    const known = await isFolder(beside);
    // Who was killed before there was a folder has left something beside it.
    if (known) await sweep(dir, base);
    const home = known ? beside : dir;
    await makeFolder(home);
    await using stack = new AsyncDisposableStack();
    const { name: folder } = stack.use(await spotFor(home, base));
    await mkdir(folder, 0o700);
    stack.defer(() => removeTree(folder));
    const made = stack.move();
    return { folder, [Symbol.asyncDispose]: () => made.disposeAsync() };
  });
}

/**
 * Whether the target is a folder, by way of a link or not: the user has named it.
 * @throws RegistryError STORAGE_UNAVAILABLE for what nothing can be written to
 */
export async function isFolder(target: string): Promise<boolean> {
  return onDisk(target, async () => (await absent(stat(target)))?.isDirectory() === true);
}

/**
 * Writes a file under another name and gives it its own at the end: it is there whole, or as it was.
 * @throws RegistryError STORAGE_UNAVAILABLE, and for a target that is no file
 */
export async function writeWhole<T>(
  target: string,
  write: (handle: FileHandle) => Promise<T>,
): Promise<T> {
  await using place = await workshop(target);
  return await onDisk(target, async () => {
    const kind = await kindAt(target);
    if (kind === 'folder' || kind === 'other') {
      const what = kind === 'folder' ? 'a folder' : 'no ordinary file';
      throw new RegistryError('STORAGE_UNAVAILABLE', `cannot write ${target}: it is ${what}`);
    }
    const partial = path.join(place.folder, 'file');
    const result = await written(partial, write);
    await rename(partial, target);
    return result;
  });
}

async function written<T>(file: string, write: (handle: FileHandle) => Promise<T>): Promise<T> {
  const handle = await open(file, 'wx', 0o666);
  try {
    return await write(handle);
  } finally {
    await handle.close();
  }
}
