import { createHash } from 'node:crypto';
import path from 'node:path';
import { algorithmOf, hexOf, type Digest } from '../../core/digest.ts';
import type { Repository } from '../../core/reference.ts';

/** Hexadecimal digits: nobody meets another repository by chance. */
const ORIGIN = 32;

/**
 * Where things are in a content cache. The folder has many owners at the same time, which is why it
 * is no store: a store has one, who holds its lock.
 *
 * ```
 * blobs/<algorithm>/<hex>                     complete, verified; each appeared by one rename
 * partial/<content>.<owner>.<number>          being written by the owner, an orphan once it is gone
 * partial/<content>.<owner>.<number>.download    the same, and on its way to its end: others follow it
 * partial/<content>.left.<owner>-<number>     an orphan from the start: its owner lives, and gave it up
 * owners/<owner>                              locked by the process for as long as it lives
 * turn                                        locked while somebody looks who writes what
 * ```
 *
 * `<content>` is `<algorithm>-<hex>-<repository>`, the last one as a hash: what has not been checked
 * is of use to those alone who would be sent the same.
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

  /** What processes lock to look, one after the other, who fetches a blob. */
  get turn(): string {
    return path.join(this.root, 'turn');
  }

  get partials(): string {
    return path.join(this.root, 'partial');
  }

  /** What all names of partial files of the digest begin with that come from the repository. */
  partialPrefix({ host, path: name }: Repository, digest: Digest): string {
    const hash = createHash('sha256').update(`${host}/${name}`).digest('hex');
    return `${algorithmOf(digest)}-${hexOf(digest)}-${hash.slice(0, ORIGIN)}.`;
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
  return path.basename(partial).split('.')[1] ?? '';
}

/** Whether whoever writes the partial file of that name goes on to the end by itself. */
export function isDownload(partial: string): boolean {
  return partial.endsWith('.download');
}
