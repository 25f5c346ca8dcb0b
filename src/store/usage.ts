import { readdir, stat, statfs } from 'node:fs/promises';
import path from 'node:path';
import { isDigest, type Digest } from '../core/digest.ts';
import type { Paths } from './paths.ts';
import { absent } from './small-file.ts';

/** Bytes and counts. */
export interface Figures {
  readonly usedBytes: number;
  readonly objects: number;
  /** Of the file system that holds the store. */
  readonly availableBytes: number;
  readonly capacityBytes: number;
}

/** How much the blobs take: counted once in the background, kept up to date from then on. */
export class Usage {
  readonly #paths: Paths;
  #bytes = 0;
  #objects = 0;
  /** While it counts: what came or went by itself, so as not to be counted twice. */
  #touched: Set<Digest> | undefined;

  constructor(paths: Paths) {
    this.#paths = paths;
  }

  stored(digest: Digest, size: number): void {
    this.#touched?.add(digest);
    this.#bytes += size;
    this.#objects += 1;
  }

  removed(digest: Digest, size: number): void {
    // What the count has not come to yet it will not find.
    if (this.#touched !== undefined && !this.#touched.has(digest)) return;
    this.#touched?.delete(digest);
    this.#bytes -= size;
    this.#objects -= 1;
  }

  /** Counts what is there; a signal stops it early. */
  async count(signal: AbortSignal): Promise<void> {
    this.#touched = new Set();
    for (const algorithm of ['sha256', 'sha512']) {
      const folder = path.join(this.#paths.blobs, algorithm);
      for (const name of (await absent(readdir(folder))) ?? []) {
        if (signal.aborted) return;
        const digest = `${algorithm}:${name}`;
        if (!isDigest(digest) || this.#touched.has(digest)) continue;
        const found = await absent(stat(path.join(folder, name)));
        if (found === undefined || this.#touched.has(digest)) continue;
        this.stored(digest, found.size);
      }
    }
    this.#touched = undefined;
  }

  async figures(): Promise<Figures> {
    const { bavail, blocks, bsize } = await statfs(this.#paths.root);
    return {
      usedBytes: this.#bytes,
      objects: this.#objects,
      availableBytes: bavail * bsize,
      capacityBytes: blocks * bsize,
    };
  }
}
