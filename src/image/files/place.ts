import { readdir, rename } from 'node:fs/promises';
import { RegistryError } from '../../core/errors.ts';
import { decodeName, printableName } from '../../layer/name.ts';
import { isFolder, kindAt, onDisk, below } from './disk.ts';
import { joined, type ImagePath } from './path.ts';
import type { Staging } from './staging.ts';

interface Move {
  readonly at: ImagePath;
  readonly kind: 'folder' | 'file';
}

/**
 * Gives what was staged its final names: as the target, or, where that is a folder, merged into it,
 * file by file, each there whole or as it was. Whether it can be done is found out before anything
 * is moved. Links that lie in the target are replaced, never followed.
 * @throws RegistryError STORAGE_UNAVAILABLE
 */
export async function place(staging: Staging, target: string): Promise<void> {
  const destination = Buffer.from(target);
  if (!(await isFolder(target))) {
    if ((await kindAt(target)) !== undefined) throw blocked(target, 'it is there and no folder');
    await onDisk(target, () => rename(staging.folder, destination));
    await staging.settle(destination, '');
    return;
  }
  for (const { at, kind } of await moves(staging, destination, '')) {
    const to = below(destination, at);
    await onDisk(to, () => rename(below(staging.folder, at), to));
    if (kind === 'folder') await staging.settle(destination, at);
  }
}

/** What has to be renamed: files, and folders that the target does not have yet. */
async function moves(staging: Staging, destination: Buffer, folder: ImagePath): Promise<Move[]> {
  const found: Move[] = [];
  const names = await readdir(below(staging.folder, folder), { encoding: 'buffer' });
  for (const name of names) {
    const at = joined(folder, decodeName(name));
    const there = await kindAt(below(destination, at));
    if (staging.kindAt(at) !== 'directory') {
      if (there === 'folder') throw blocked(at, 'there is a folder of that name');
      found.push({ at, kind: 'file' });
    } else if (there === undefined) found.push({ at, kind: 'folder' });
    else if (there === 'folder') found.push(...(await moves(staging, destination, at)));
    else throw blocked(at, 'there is something of that name that is no folder');
  }
  return found;
}

function blocked(at: string, why: string): RegistryError {
  return new RegistryError('STORAGE_UNAVAILABLE', `cannot write ${printableName(at)}: ${why}`);
}
