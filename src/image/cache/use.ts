import type { FileHandle } from 'node:fs/promises';

/** Milliseconds. Whether something was used earlier or later than this does not matter. */
const USE_MATTERS = 60_000;

/** Notes the use, for `trim`. A folder that cannot be written may be read all the same. */
export async function touch(handle: FileHandle, used: number): Promise<void> {
  const now = Date.now();
  if (now - used < USE_MATTERS) return;
  await handle.utimes(now / 1000, now / 1000).catch(() => {});
}
