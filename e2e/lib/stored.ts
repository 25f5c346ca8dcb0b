import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { sha256Of } from './pull.ts';

/** Digests of what is visible under `blobs/`. */
export async function visible(store: string): Promise<readonly string[]> {
  const names = await readdir(join(store, 'blobs/sha256'));
  return names.toSorted().map((name) => `sha256:${name}`);
}

/** Those whose bytes are not what their name says. */
export async function wrong(store: string): Promise<readonly string[]> {
  const found: string[] = [];
  for (const digest of await visible(store)) {
    if (sha256Of(await readFile(blobFile(store, digest))) !== digest) found.push(digest);
  }
  return found;
}

export function blobFile(store: string, digest: string): string {
  return join(store, 'blobs', digest.replace(':', '/'));
}

/** Bytes of each download that has begun, by digest. */
export async function partial(store: string): Promise<ReadonlyMap<string, number>> {
  const sizes = new Map<string, number>();
  for (const name of await readdir(join(store, 'ingest'))) {
    const { size } = await stat(join(store, 'ingest', name));
    sizes.set(name.replace('-', ':'), size);
  }
  return sizes;
}
