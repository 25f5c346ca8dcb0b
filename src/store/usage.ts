import { stat, statfs } from 'node:fs/promises';
import type { Digest } from '../core/digest.ts';
import type { Paths } from './paths.ts';
import { absent } from './small-file.ts';
import { storedDigests } from './stored.ts';

/** Bytes and counts. */
export interface Figures {
  readonly usedBytes: number;
  readonly objects: number;
  /** Of the file system that holds the store. */
  readonly availableBytes: number;
  readonly capacityBytes: number;
}

/** How much the blobs take: counted in the background at first, kept up to date from then on. */
export class Usage {
  readonly #paths: Paths;
  #bytes = 0;
  #objects = 0;
  /** While it counts: what came by itself, so as not to be counted twice. */
  #arrived: Set<Digest> | undefined;
  #left = 0;

  constructor(paths: Paths) {
    this.#paths = paths;
  }

  stored(digest: Digest, size: number): void {
    this.#arrived?.add(digest);
    this.#bytes += size;
    this.#objects += 1;
  }

  removed(size: number): void {
    this.#left += 1;
    this.#bytes -= size;
    this.#objects -= 1;
  }

  /** Counts what is there; a signal stops it early. */
  async count(signal: AbortSignal): Promise<void> {
    for (let left = -1; left !== this.#left && !signal.aborted;) {
      // Whether what has left meanwhile had been counted nobody knows: then it counts again.
      left = this.#left;
      await this.#countOnce(signal);
    }
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

  async #countOnce(signal: AbortSignal): Promise<void> {
    const arrived = new Set<Digest>();
    this.#arrived = arrived;
    this.#bytes = 0;
    this.#objects = 0;
    for await (const digest of storedDigests(this.#paths)) {
      if (signal.aborted) return;
      const found = arrived.has(digest) ? undefined : await absent(stat(this.#paths.blob(digest)));
      if (found === undefined || arrived.has(digest)) continue;
      this.#bytes += found.size;
      this.#objects += 1;
    }
    this.#arrived = undefined;
  }
}
