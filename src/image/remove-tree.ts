import { chmod, readdir, rmdir, unlink } from 'node:fs/promises';
import { systemCode } from '../core/errors.ts';

/** Removes a tree whose names may be any bytes, and whose folders may not let anybody in. One that is gone is removed. */
export async function removeTree(name: string | Buffer): Promise<void> {
  const folder = Buffer.from(name);
  try {
    await chmod(folder, 0o700);
    for (const entry of await readdir(folder, { encoding: 'buffer', withFileTypes: true })) {
      const at = Buffer.concat([folder, Buffer.from('/'), entry.name]);
      if (entry.isDirectory()) await removeTree(at);
      else await unlink(at);
    }
    await rmdir(folder);
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw error;
  }
}
