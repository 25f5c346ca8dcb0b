import {
  chmod,
  lstat,
  mkdir,
  open,
  readdir,
  readFile,
  realpath,
  rename,
  rm,
  rmdir,
} from 'node:fs/promises';
import path from 'node:path';
import { RegistryError, systemCode } from '../core/errors.ts';
import { lockFile } from './lock.ts';

/** What a file is, apart from its name. */
export interface FileState {
  readonly bytes: Buffer;
  /** Permission bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

/** How new files and folders are made, whatever the umask is. */
const NEW_FILE = 0o644;
const NEW_FOLDER = 0o755;

/**
 * A machine's files below a folder: `/` for this machine, a mount of another one's root otherwise. Paths are
 * those that the machine itself would use; links that lead out of the folder are not followed.
 */
export class RootFolder {
  readonly folder: string;

  constructor(folder: string) {
    this.folder = path.resolve(folder);
  }

  /** @throws RegistryError UNSUPPORTED for what is no plain file, or a link that leads elsewhere */
  async read(name: string): Promise<FileState | undefined> {
    const place = await this.#place(name);
    if (place === undefined) return undefined;
    const stats = await existing(() => lstat(place));
    if (stats === undefined) return undefined;
    if (!stats.isFile()) throw new RegistryError('UNSUPPORTED', `${name} is not a file`);
    const bytes = await readFile(place);
    return { bytes, mode: stats.mode & 0o7777, uid: stats.uid, gid: stats.gid };
  }

  /** @returns `undefined` where there is no such file */
  async text(name: string): Promise<string | undefined> {
    return (await this.read(name))?.bytes.toString('utf8');
  }

  /** Names in the folder, sorted; none where there is no such folder. */
  async list(name: string): Promise<readonly string[]> {
    const place = await this.#place(name);
    if (place === undefined) return [];
    const names = await existing(() => readdir(place));
    return (names ?? []).toSorted();
  }

  /**
   * Puts a file in its place, whole or not at all, with folders where they are missing. What a process
   * that was killed has left aside is gone with that.
   */
  async write(name: string, state: Pick<FileState, 'bytes'> & Partial<FileState>): Promise<void> {
    await this.#makeFolders(path.posix.dirname(name));
    const place = await this.#place(name);
    if (place === undefined) throw new RegistryError('UNSUPPORTED', `${name} has no folder`);
    const aside = asideOf(place);
    try {
      await rm(aside, { force: true });
      const file = await open(aside, 'wx', 0o600);
      try {
        await file.writeFile(state.bytes);
        if (state.uid !== undefined && state.gid !== undefined) {
          const now = await file.stat();
          const same = now.uid === state.uid && now.gid === state.gid;
          if (!same) await file.chown(state.uid, state.gid);
        }
        await file.chmod(state.mode ?? NEW_FILE);
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(aside, place);
    } catch (error) {
      await rm(aside, { force: true });
      throw error;
    }
    await this.#syncFolder(path.dirname(place));
  }

  async remove(name: string): Promise<void> {
    const place = await this.#place(name);
    if (place === undefined) return;
    await rm(place, { force: true });
    await rm(asideOf(place), { force: true });
    await this.#syncFolder(path.dirname(place));
  }

  /** The folders that are missing on the way to a file, outermost first. */
  async missing(name: string): Promise<readonly string[]> {
    const found: string[] = [];
    for (const folder of foldersTo(name)) {
      const place = await this.#place(folder);
      if (place === undefined || (await existing(() => lstat(place))) === undefined) {
        found.push(folder);
      }
    }
    return found;
  }

  /** Has a file for this process alone, with folders where they are missing; see `lockFile`. */
  async lock(name: string): Promise<Disposable> {
    const folder = path.posix.dirname(name);
    await this.#makeFolders(folder);
    const place = await this.#place(name);
    if (place === undefined) throw new RegistryError('UNSUPPORTED', `${name} has no folder`);
    return lockFile(place, () => this.#makeFolders(folder));
  }

  /** Removes a folder if nothing is in it. */
  async removeEmpty(name: string): Promise<void> {
    const place = await this.#place(name);
    if (place === undefined) return;
    try {
      await rmdir(place);
    } catch (error) {
      const code = systemCode(error);
      if (code !== 'ENOTEMPTY' && code !== 'ENOENT' && code !== 'EEXIST') throw error;
    }
  }

  /**
   * Where the name is, links followed; `undefined` where its folder is not.
   * @throws RegistryError UNSUPPORTED where a link leads out of the folder
   */
  async #place(name: string): Promise<string | undefined> {
    const root = await existing(() => realpath(this.folder));
    if (root === undefined) {
      throw new RegistryError('REQUEST_INVALID', `there is no folder ${this.folder}`);
    }
    const outer = await existing(() => realpath(path.join(root, path.dirname(name))));
    if (outer === undefined) return undefined;
    const place = path.join(outer, path.basename(name));
    const linked = (await existing(() => lstat(place)))?.isSymbolicLink() === true;
    const real = linked ? await existing(() => realpath(place)) : place;
    if (real !== undefined && isBelow(root, real)) return real;
    throw new RegistryError(
      'UNSUPPORTED',
      `${name} is, or is behind, a link that leads ${real === undefined ? 'nowhere' : `out of ${this.folder}`}`,
    );
  }

  async #makeFolders(name: string): Promise<void> {
    for (const folder of foldersTo(`${name}/.`)) {
      const place = await this.#place(folder);
      if (place === undefined) throw new RegistryError('UNSUPPORTED', `${folder} is not a folder`);
      try {
        await mkdir(place);
        await chmod(place, NEW_FOLDER);
        await this.#syncFolder(path.dirname(place));
      } catch (error) {
        if (systemCode(error) !== 'EEXIST') throw error;
      }
    }
  }

  async #syncFolder(place: string): Promise<void> {
    const folder = await open(place);
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  }
}

/** Where a file is written before it is renamed: one name a file, so that nothing piles up. */
function asideOf(place: string): string {
  return path.join(path.dirname(place), `.${path.basename(place)}.layover`);
}

/** Every folder above a file, outermost first. */
function foldersTo(name: string): readonly string[] {
  const parts = name
    .split('/')
    .filter((part) => part !== '')
    .slice(0, -1);
  return parts.map((_, index) => `/${parts.slice(0, index + 1).join('/')}`);
}

function isBelow(root: string, place: string): boolean {
  return root === path.sep || place === root || place.startsWith(`${root}${path.sep}`);
}

async function existing<T>(task: () => Promise<T>): Promise<T | undefined> {
  try {
    return await task();
  } catch (error) {
    const code = systemCode(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw error;
  }
}
