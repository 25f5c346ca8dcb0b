import { fstatSync, type Stats } from 'node:fs';
import { lstat, readlink, realpath, stat } from 'node:fs/promises';
import path from 'node:path';
import { RegistryError, systemCode } from '../../core/errors.ts';

/** What a name leads to, for who writes there. */
export type Target =
  /** A file that is there, or will be. */
  | { readonly kind: 'file'; readonly path: string }
  /** A pipe or a device, which takes bytes in their order. */
  | { readonly kind: 'stream'; readonly path: string }
  /** What this process was given open: `/dev/stdout`, `/dev/fd/3`. */
  | { readonly kind: 'descriptor'; readonly number: number };

export const STDOUT: Target = { kind: 'descriptor', number: 1 };

/** Links one after the other; more are a circle. */
const MOST_LINKS = 40;

const DESCRIPTOR = /^(?:\/proc\/(\d+)\/fd|\/dev\/fd)\/(\d+)$/;

/**
 * Follows links, also to a file that is not there yet: the links stay as they are.
 * @throws RegistryError STORAGE_UNAVAILABLE for what cannot be written; Error of Node
 */
export async function targetOf(name: string): Promise<Target> {
  let place = path.resolve(name);
  for (let links = 0; links <= MOST_LINKS; links += 1) {
    place = path.join(await realpath(path.dirname(place)), path.basename(place));
    const [, pid, number] = DESCRIPTOR.exec(place) ?? [];
    if (number !== undefined && (pid === undefined || Number(pid) === process.pid)) {
      const given = fstatSync(Number(number));
      if (!given.isSocket()) writable(name, given);
      return { kind: 'descriptor', number: Number(number) };
    }
    const found = await statAt(place);
    if (found === undefined) return { kind: 'file', path: place };
    if (!found.isSymbolicLink()) return { kind: writable(name, found), path: place };
    place = path.resolve(path.dirname(place), await readlink(place));
  }
  throw unusable(name, 'its links lead in a circle');
}

/**
 * Whether the name leads to a pipe, a device or something given open, beside which nothing can lie. What
 * cannot be written does not: whoever writes there says why.
 */
export async function isStream(name: string): Promise<boolean> {
  try {
    return (await targetOf(name)).kind !== 'file';
  } catch {
    return false;
  }
}

/**
 * Texts that two names share when what is written to one is written over the other; none for a device, and
 * for what cannot be written: whoever writes there says why.
 */
export async function identitiesOf(name: string): Promise<readonly string[]> {
  try {
    const target = await targetOf(name);
    const found =
      target.kind === 'descriptor' ? fstatSync(target.number) : await there(target.path);
    if (found?.isCharacterDevice() === true) return [];
    const inode = found === undefined ? [] : [`inode ${found.dev} ${found.ino}`];
    return target.kind === 'descriptor' ? inode : [`path ${target.path}`, ...inode];
  } catch {
    return [];
  }
}

function there(place: string): Promise<Stats | undefined> {
  return stat(place).catch(() => undefined);
}

async function statAt(place: string): Promise<Stats | undefined> {
  try {
    return await lstat(place);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

function writable(name: string, found: Stats): 'file' | 'stream' {
  if (found.isFile()) return 'file';
  if (found.isFIFO() || found.isCharacterDevice()) return 'stream';
  throw unusable(name, found.isDirectory() ? 'it is a folder' : 'it is no regular file');
}

function unusable(name: string, why: string): RegistryError {
  return new RegistryError('STORAGE_UNAVAILABLE', `cannot write ${name}: ${why}`);
}
