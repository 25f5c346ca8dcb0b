import type { Digest } from '../../core/digest.ts';
import { formatRepository } from '../../core/reference.ts';
import type { Kind, OldestOptions, Position } from '../budget/blob-index.ts';
import type { StoreView } from './view.ts';

/** Content that would have to leave. */
export interface Leaving {
  readonly digest: Digest;
  readonly kind: Kind;
  /** Bytes. */
  readonly size: number;
  /** When somebody last asked for it, in milliseconds since 1970. */
  readonly lastUsed: number;
  /** Whose it is. */
  readonly repositories: readonly string[];
}

const BATCH = 256;

/** What would be evicted of so many bytes until no more than some are left, in that order; offline, of `nobody`. */
export function* evictable(
  view: StoreView,
  {
    stored,
    to,
    owner,
  }: Pick<OldestOptions, 'owner'> & { readonly stored: number; readonly to: number },
): Generator<Leaving> {
  const { index, clock } = view;
  let left = stored;
  for (const kind of ['blob', 'manifest'] as const) {
    for (let after: Position = { accessed: -1, id: -1 }; left > to;) {
      const chosen = index.oldest({ kind, owner, after, limit: BATCH });
      for (const { digest, size, accessed, position } of chosen) {
        if (left <= to) return;
        left -= size;
        after = position;
        const repositories = index.links.repositoriesOf(digest).map(formatRepository);
        yield { digest, kind, size, lastUsed: clock.onWall(accessed), repositories };
      }
      if (chosen.length < BATCH) break;
    }
  }
}
