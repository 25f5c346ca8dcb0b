import { opendir } from 'node:fs/promises';
import path from 'node:path';
import { isDigest, type Digest } from '../core/digest.ts';
import type { Paths } from './paths.ts';
import { absent } from './small-file.ts';

/** Names read from a folder at a time. */
const BATCH = 512;

/** Everything under `blobs/`, in no order; a million of them are never in memory at once. */
export async function* storedDigests(paths: Paths): AsyncGenerator<Digest> {
  for (const algorithm of ['sha256', 'sha512']) {
    const folder = await absent(opendir(path.join(paths.blobs, algorithm), { bufferSize: BATCH }));
    for await (const { name } of folder ?? []) {
      const digest = `${algorithm}:${name}`;
      if (isDigest(digest)) yield digest;
    }
  }
}
