import { readdir, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import type { Digest } from '../../core/digest.ts';
import { absent } from '../../store/small-file.ts';
import { ownerOf, type CacheFolder } from './folder.ts';
import { isGone } from '../owner.ts';

interface Orphan {
  readonly name: string;
  readonly size: number;
}

/** The partial files that one process writes, and how it comes by what others left behind. */
export class Partials {
  readonly #folder: CacheFolder;
  readonly #owner: string;
  readonly #busy = new Set<string>();
  #counter = 0;

  constructor(folder: CacheFolder, owner: string) {
    this.#folder = folder;
    this.#owner = owner;
  }

  /**
   * A name under which content of the digest is to grow, nobody else's. The most that an earlier
   * attempt left is there already: taking it over is one rename, so of several processes that try
   * one succeeds. A living process's file is left to it, and the content fetched twice: waiting for
   * others would mean to stand still when they do.
   */
  async claim(digest: Digest): Promise<string> {
    this.#counter += 1;
    const prefix = this.#folder.partialPrefix(digest);
    const name = path.join(this.#folder.partials, `${prefix}${this.#owner}.${this.#counter}`);
    this.#busy.add(name);
    const orphans = await this.#orphans(prefix);
    let taken = false;
    for (const { name: orphan } of orphans.toSorted((a, b) => b.size - a.size)) {
      if (taken) await rm(orphan, { force: true });
      else taken = (await absent(rename(orphan, name).then(() => true))) === true;
    }
    return name;
  }

  /** Nobody writes the file any more. */
  release(name: string): void {
    this.#busy.delete(name);
  }

  async #orphans(prefix: string): Promise<readonly Orphan[]> {
    const orphans: Orphan[] = [];
    for (const base of await readdir(this.#folder.partials)) {
      const name = path.join(this.#folder.partials, base);
      if (!base.startsWith(prefix) || this.#busy.has(name)) continue;
      const owner = ownerOf(base);
      if (owner !== this.#owner && !isGone(this.#folder, owner)) continue;
      const found = await absent(stat(name));
      if (found !== undefined) orphans.push({ name, size: found.size });
    }
    return orphans;
  }
}
