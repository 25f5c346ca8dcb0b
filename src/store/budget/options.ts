import type { Digest } from '../../core/digest.ts';
import type { LinkStore } from '../links.ts';
import type { Paths } from '../paths.ts';
import type { ContentStore } from '../store.ts';
import type { TagStore } from '../tags.ts';
import type { Limits } from './budget.ts';
import type { HousekeepingEvent } from './event.ts';
import type { Space } from './space.ts';

/** Within what a store is kept. */
export interface Rules {
  readonly limits: Limits;
  /** Milliseconds without anybody asking after which content goes; 0: never. */
  readonly maxAge: number;
  /** Bytes that each of these upstreams may have of the budget. */
  readonly shares: ReadonlyMap<string, number>;
  /** Patterns of the configuration. */
  readonly pins: readonly string[];
  /** Offline nothing is evicted: it could not come back. */
  readonly network: 'online' | 'offline';
}

export interface HousekeepingOptions {
  readonly paths: Paths;
  /** Asked whenever they matter: they may be others than before. */
  readonly rules: () => Rules;
  /** The store that all this is about; asked for only after `open`. */
  readonly content: () => ContentStore;
  readonly links: LinkStore;
  readonly tags: TagStore;
  readonly exclusively?: <T>(digest: Digest, task: () => Promise<T>) => Promise<T>;
  readonly observe?: (event: HousekeepingEvent) => void;
  /** Asked of the file system if left out. */
  readonly space?: () => Promise<Space>;
  readonly clock?: { readonly wall?: () => number; readonly monotonic?: () => number };
}
