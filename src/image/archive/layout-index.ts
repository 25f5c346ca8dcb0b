import { randomUUID } from 'node:crypto';
import { open, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { RegistryError, systemCode } from '../../core/errors.ts';
import { indexWith, LAYOUT_MARKER } from './index-json.ts';
import { syncFolder } from './output.ts';
import type { Named } from './received.ts';

/** Milliseconds between two attempts for the lock, and until there are no more. */
const PAUSE = 10;
const PATIENCE = 30_000;

/**
 * Lists the images in a layout's `index.json`, besides what is there; at once for readers, and in turn
 * with others who do the same.
 * @throws Error of Node; RegistryError STORAGE_UNAVAILABLE if the others do not end
 */
export async function addToIndex(folder: string, images: readonly Named[]): Promise<void> {
  await using _ = await lock(path.join(folder, '.index.lock'));
  const index = path.join(folder, 'index.json');
  const before = await readFile(index).catch((error: unknown) => {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  });
  await sweep(folder);
  const marker = path.join(folder, 'oci-layout');
  if (!(await exists(marker))) await replace(marker, LAYOUT_MARKER);
  await replace(index, indexWith(before, images));
  await syncFolder(folder);
}

/** Writes a file that a loss of power leaves whole. */
export async function writeSafely(name: string, bytes: Uint8Array): Promise<void> {
  const handle = await open(name, 'wx');
  try {
    await handle.writeFile(bytes);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Removes what holders of the lock that were killed have left of `replace`. */
async function sweep(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    if (LEFT.test(name)) await rm(path.join(folder, name), { force: true });
  }
}

const LEFT = /^\.(?:index\.json|oci-layout)\.[0-9a-f-]{36}\.partial$/;

async function replace(name: string, bytes: Uint8Array): Promise<void> {
  const temporary = path.join(
    path.dirname(name),
    `.${path.basename(name)}.${randomUUID()}.partial`,
  );
  try {
    await writeSafely(temporary, bytes);
    await rename(temporary, name);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

/**
 * A lock that ends with its process, however that ends: SQLite's, which is the operating system's. Its
 * file goes when it is let go; whoever waited for a file that is gone starts over.
 */
async function lock(name: string): Promise<AsyncDisposable> {
  const { DatabaseSync } = await import('node:sqlite');
  for (const end = performance.now() + PATIENCE; performance.now() < end; await delay(PAUSE)) {
    await writeFile(name, '', { flag: 'a' });
    const before = await inode(name);
    const database = new DatabaseSync(name, { timeout: 0 });
    try {
      database.exec('PRAGMA journal_mode = MEMORY');
      database.exec('BEGIN EXCLUSIVE');
    } catch (error) {
      database.close();
      if (systemCode(error) === 'ERR_SQLITE_ERROR') continue;
      throw error;
    }
    if (before !== undefined && before === (await inode(name))) {
      return {
        async [Symbol.asyncDispose]() {
          await rm(name, { force: true });
          database.close();
        },
      };
    }
    database.close();
  }
  throw new RegistryError('STORAGE_UNAVAILABLE', `somebody else keeps ${name} locked`);
}

async function inode(name: string): Promise<bigint | undefined> {
  try {
    return (await stat(name, { bigint: true })).ino;
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

async function exists(name: string): Promise<boolean> {
  return (await inode(name)) !== undefined;
}
