import { mkdir } from 'node:fs/promises';
import { run } from './process.ts';
import type { Scratch } from './scratch.ts';

/** A small disk of its own, mounted until it is disposed. */
export interface Tmpfs extends AsyncDisposable {
  readonly path: string;
}

/** Why there can be none; `false` where there can. */
export const noTmpfs: string | false =
  process.getuid?.() === 0 ? false : 'mounting a small disk needs root';

export async function tmpfs(scratch: Scratch, name: string, options: string): Promise<Tmpfs> {
  const path = scratch.at(name);
  await mkdir(path);
  await run('mount', ['-t', 'tmpfs', '-o', options, 'layover-e2e', path]);
  return {
    path,
    [Symbol.asyncDispose]: async () => {
      // Lazily: a server that was killed a moment ago may still count as a user of it.
      await run('umount', ['--lazy', path]);
    },
  };
}
