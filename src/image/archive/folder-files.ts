import { constants } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import path from 'node:path';
import { RegistryError, systemCode } from '../../core/errors.ts';
import type { Content, Files } from './content.ts';
import { fileContent } from './file-content.ts';

/**
 * The files of a folder.
 * @throws RegistryError NAME_UNKNOWN if there is none; STORAGE_UNAVAILABLE if it cannot be read
 */
export async function folderFiles(folder: string): Promise<Files> {
  try {
    if (!(await stat(folder)).isDirectory()) {
      throw new RegistryError('NAME_UNKNOWN', `${folder} is not a folder`);
    }
  } catch (cause) {
    throw asUnreadable(folder, cause);
  }
  return {
    name: folder,
    open: (name) => openFile(path.join(folder, name)),
    [Symbol.asyncDispose]: async () => {},
  };
}

/** A regular file's bytes; `undefined` where there is none. */
export async function openFile(name: string): Promise<Content | undefined> {
  try {
    // Without waiting, should it be a pipe.
    const handle = await open(name, constants.O_RDONLY | constants.O_NONBLOCK);
    const found = await handle.stat().catch(async (error: unknown) => {
      await handle.close();
      throw error;
    });
    if (found.isFile()) return fileContent(handle, name, found.size);
    await handle.close();
    return undefined;
  } catch (error) {
    const code = systemCode(error);
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'ENXIO') return undefined;
    throw asUnreadable(name, error);
  }
}

function asUnreadable(name: string, cause: unknown): RegistryError {
  if (cause instanceof RegistryError) return cause;
  const code = systemCode(cause);
  return code === 'ENOENT' || code === 'ENOTDIR'
    ? new RegistryError('NAME_UNKNOWN', `there is no ${name}`, { cause })
    : new RegistryError('STORAGE_UNAVAILABLE', `cannot read ${name}: ${String(cause)}`, { cause });
}
