import { rename } from 'node:fs/promises';
import path from 'node:path';
import { syncFolder } from './durable.ts';
import type { SharedFile } from './shared-file.ts';

export interface Published {
  readonly file: SharedFile | undefined;
  /** Where the bytes are, and where they are to be seen. */
  readonly growing: string;
  readonly final: string;
}

/** The one way into `blobs/`, for bytes that have been checked. @throws Error of Node; nothing is visible then */
export async function publish({ file, growing, final }: Published): Promise<void> {
  await file?.handle.datasync();
  await rename(growing, final);
  // Only now: a file that could not be renamed has to stay writable to be gone on with.
  // It keeps people from harm, nothing depends on it.
  await file?.handle.chmod(0o444).catch(() => {});
}

/** The same, settled only when the disk has the name as well. */
export async function publishDurably(published: Published): Promise<void> {
  await publish(published);
  await syncFolder(path.dirname(published.final));
}
