import { statfs } from 'node:fs/promises';
import { RegistryError } from '../../core/errors.ts';
import type { Claim } from '../../store/budget/room.ts';
import type { CacheFolder } from './folder.ts';
import { trim, type Trimmed } from './trim.ts';

export interface CacheRoomOptions {
  readonly folder: CacheFolder;
  /** Bytes, of all content; more is there only until what is being written has been counted. */
  readonly maxSize: number;
  /** Bytes of the disk that are left to others: with fewer free there is no room. */
  readonly minFree: number;
  /** What a task on the folder gives; `undefined` where it fails, which is told elsewhere. */
  readonly tried: <T>(operation: string, task: () => Promise<T>) => Promise<T | undefined>;
  /** The disk is too full. */
  readonly onFull: (error: RegistryError) => void;
  /** Something had to go. */
  readonly onTrimmed: (trimmed: Trimmed) => void;
}

/** The room that content has in the folder: what it may still take, and that others make way for it. */
export class CacheRoom {
  readonly #options: CacheRoomOptions;
  #trimming: Promise<void> | undefined;
  /** Bytes in the folder at the last look; nobody has looked yet if `undefined`. */
  #total: number | undefined;
  /** Bytes stored since that look began, which may have seen them or not. */
  #since = 0;
  /** Bytes that are going to be written, as far as this process knows. */
  #expected = 0;

  constructor(options: CacheRoomOptions) {
    this.#options = options;
  }

  /**
   * Room for so many bytes here, and as many for whoever writes the same content elsewhere on this
   * disk. What the cache holds beyond its own limit leaves afterwards, by `trim`.
   */
  async claim(size: number): Promise<Claim | undefined> {
    if (!(await this.fits(size))) return undefined;
    let left = size;
    const less = (bytes: number): void => {
      left -= bytes;
      this.#expected -= bytes;
    };
    this.#expected += size;
    return { wrote: less, appearing() {}, end: () => less(left) };
  }

  /** Whether `claim` would give it, as things are. */
  async fits(size: number): Promise<boolean> {
    const { maxSize, minFree, folder, tried } = this.#options;
    if (size > maxSize) return false;
    const disk = await tried('look', () => statfs(folder.partials));
    const free = disk === undefined ? 0 : disk.bavail * disk.bsize;
    if (free - this.#expected - 2 * size >= minFree) return true;
    const message = `the disk of ${folder.root} has only ${free} bytes free`;
    this.#options.onFull(new RegistryError('STORAGE_UNAVAILABLE', message));
    return false;
  }

  /** Content of so many bytes is there: others leave where that was too much. */
  stored(size: number): void {
    this.#since += size;
    if (!this.#isFull()) return;
    this.#trimming ??= this.#trim().finally(() => {
      this.#trimming = undefined;
    });
  }

  /** Waits for what is leaving. */
  async settled(): Promise<void> {
    await this.#trimming;
  }

  #isFull(): boolean {
    return this.#total === undefined || this.#total + this.#since > this.#options.maxSize;
  }

  async #trim(): Promise<void> {
    const { folder, maxSize, tried, onTrimmed } = this.#options;
    do {
      this.#since = 0;
      const trimmed = await tried('trim', () => trim(folder, maxSize));
      if (trimmed === undefined) return;
      this.#total = trimmed.total;
      if (trimmed.removed > 0) onTrimmed(trimmed);
      // What came meanwhile may have come too late to be seen.
    } while (this.#since > 0 && this.#isFull());
  }
}
