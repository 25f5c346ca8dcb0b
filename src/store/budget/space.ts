import { statfs } from 'node:fs/promises';

/** Bytes of the file system that holds the store. */
export interface Space {
  readonly available: number;
  readonly capacity: number;
}

/** @throws Error of the system */
export async function spaceOf(folder: string): Promise<Space> {
  const { bavail, blocks, bsize } = await statfs(folder);
  return { available: bavail * bsize, capacity: blocks * bsize };
}
