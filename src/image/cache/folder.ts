import path from 'node:path';
import { algorithmOf, hexOf, type Digest } from '../../core/digest.ts';

/**
 * Where things are in a content cache. The folder has many owners at the same time, which is why it
 * is no store: a store has one, who holds its lock.
 *
 * ```
 * blobs/<algorithm>/<hex>                       complete, verified; each appeared by one rename
 * partial/<algorithm>-<hex>.<owner>.<number>    being written by the owner, an orphan once it is gone
 * owners/<owner>                                locked by the process for as long as it lives
 * ```
 */
export class CacheFolder {
  readonly root: string;

  constructor(root: string) {
    this.root = path.resolve(root);
  }

  /** The folders that hold blobs, one an algorithm. */
  get blobs(): readonly string[] {
    return ['sha256', 'sha512'].map((algorithm) => path.join(this.root, 'blobs', algorithm));
  }

  blob(digest: Digest): string {
    return path.join(this.root, 'blobs', algorithmOf(digest), hexOf(digest));
  }

  get partials(): string {
    return path.join(this.root, 'partial');
  }

  /** What all names of partial files of the digest begin with. */
  partialPrefix(digest: Digest): string {
    return `${algorithmOf(digest)}-${hexOf(digest)}.`;
  }

  get owners(): string {
    return path.join(this.root, 'owners');
  }

  owner(id: string): string {
    return path.join(this.owners, id);
  }
}

/** Who writes, or wrote, the partial file of that name. */
export function ownerOf(partial: string): string {
  return partial.split('.')[1] ?? '';
}
