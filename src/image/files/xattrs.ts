import type { FileEntry } from './file-entry.ts';
import type { ImagePath } from './path.ts';

/** Extended attributes that were not set, since Node cannot set any. */
export interface LostXattrs {
  /** Files, folders and links that were written without theirs. */
  readonly files: number;
  /** Of the attributes, sorted. */
  readonly names: readonly string[];
}

/** Of what is written as it is stored. */
export const NONE_LOST: LostXattrs = { files: 0, names: [] };

/** Keeps account of them: the entry that counts for a path is the last one that was written. */
export class WithoutXattrs {
  readonly #names = new Map<ImagePath, readonly string[]>();

  note(at: ImagePath, { xattrs }: Pick<FileEntry, 'xattrs'>): void {
    if (xattrs === undefined) this.#names.delete(at);
    else this.#names.set(at, Object.keys(xattrs));
  }

  get lost(): LostXattrs {
    return {
      files: this.#names.size,
      names: [...new Set([...this.#names.values()].flat())].toSorted(),
    };
  }
}
