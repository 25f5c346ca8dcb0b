import type { Ingest } from '../../store/store.ts';
import type { Neighbour } from './neighbour.ts';
import type { ClaimOptions } from './partials.ts';

export interface Claiming extends Omit<ClaimOptions, 'room'> {
  /** Bytes, where they are known: without room for them nothing is begun. */
  readonly size: number | undefined;
  /** What a process had that stands still has been copied from the file of that name. */
  readonly onCopied: (name: string) => void;
}

/** How content is come by that is not there: as `Claim` has it. */
export type Claimed =
  | { readonly kind: 'mine'; readonly ingest: Ingest }
  | { readonly kind: 'theirs'; readonly neighbour: Neighbour }
  | { readonly kind: 'there' | 'nobody' };
