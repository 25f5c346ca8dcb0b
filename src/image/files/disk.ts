import { lstat, mkdir, open, rename, stat } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import path from 'node:path';
import { RegistryError, systemCode } from '../../core/errors.ts';
import { decodeName, encodeName, printableName } from '../../layer/name.ts';
import type { Part } from '../../layer/tar-entry.ts';
import { draftOf } from '../archive/draft.ts';
import { targetOf, type Target } from '../archive/target.ts';
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
  EEXIST: 'something on the way is no folder',
  EISDIR: 'it is a folder',
  EPIPE: 'nobody reads it any more',
};

/** Runs what writes to the disk. @throws RegistryError STORAGE_UNAVAILABLE, which says why, for errors of the system */
export async function onDisk<T>(target: string | Buffer, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    const code = systemCode(error);
    if (error instanceof RegistryError || !(error instanceof Error) || code === undefined) {
      throw error;
    }
    const shown = printableName(typeof target === 'string' ? target : decodeName(target));
    throw new RegistryError(
      'STORAGE_UNAVAILABLE',
      // What is not told here is told by its cause.
      [`cannot write ${shown}`, ...(REASONS[code] === undefined ? [] : [REASONS[code]])].join(': '),
      // What is unfinished has a name of its own, which says nothing to people.
      { cause: 'path' in error ? Object.assign(error, { path: shown }) : error },
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

/**
 * @param beside a file or folder to be, whose own folder is made if need be, or a folder that exists
 * @param called what messages call it
 */
export async function workshop(beside: string, called = beside): Promise<Workshop> {
  return onDisk(called, async () => {
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

export interface WriteOptions {
  /**
   * Of a target that is a link: the file where it leads is written, or nothing is. `refuse`, for a name that is
   * not the user's own word, refuses pipes and devices as well. `follow` when left out.
   */
  readonly links?: 'follow' | 'refuse' | undefined;
  /** Ends what is on its way to a reader that stands still. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Writes a file under another name and gives it its own at the end: it is there whole, or as it was. What
 * goes into a pipe or a device goes there when it is whole.
 * @throws RegistryError STORAGE_UNAVAILABLE, and for a target that is no file, before anything is written
 */
export async function writeWhole<T>(
  target: string,
  write: (handle: FileHandle) => Promise<T>,
  options: WriteOptions = {},
): Promise<T> {
  const found = await onDisk(target, () => leadsTo(target, options.links));
  if (found.kind !== 'file') return await onDisk(target, () => streamed(found, write, options));
  await using place = await workshop(found.path, target);
  return await onDisk(target, async () => {
    const partial = path.join(place.folder, path.basename(found.path));
    const result = await written(partial, write);
    await rename(partial, found.path);
    return result;
  });
}

/** The folders on the way are made. */
async function leadsTo(target: string, links: WriteOptions['links']): Promise<Target> {
  const refused = (why: string): RegistryError =>
    new RegistryError('STORAGE_UNAVAILABLE', `cannot write ${target}: ${why}`);
  if (target.endsWith('/') && !(await isFolder(target))) throw refused('there is no such folder');
  await makeFolder(path.dirname(path.resolve(target)));
  if (links === 'refuse' && (await kindAt(target)) === 'other') {
    throw refused('it is no ordinary file');
  }
  return await targetOf(target);
}

async function streamed<T>(
  target: Target,
  write: (handle: FileHandle) => Promise<T>,
  { signal }: WriteOptions,
): Promise<T> {
  await using draft = await draftOf(target, { signal });
  const result = await write(draft.handle);
  await draft.publish();
  return result;
}

async function written<T>(file: string, write: (handle: FileHandle) => Promise<T>): Promise<T> {
  const handle = await open(file, 'wx', 0o666);
  try {
    return await write(handle);
  } finally {
    await handle.close();
  }
}
