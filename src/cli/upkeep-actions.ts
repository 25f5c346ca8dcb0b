import type { Collected } from '../hosted/collect.ts';
import type { Collection } from '../hosted/collection.ts';
import type { Pin } from '../store/budget/pins.ts';
import type { Leaving } from '../store/inventory/evictable.ts';
import type { CachedImage } from '../store/inventory/images.ts';
import type { UsageReport } from '../store/inventory/usage.ts';
import type { Choices } from './actions.ts';

/** What was removed, or would be. Bytes. */
export interface Removal {
  readonly blobs: number;
  readonly bytes: number;
}

export interface PruneChoices extends Choices {
  readonly patterns: readonly string[];
  /** Durations as they were typed. */
  readonly olderThan?: string | undefined;
  readonly unusedFor?: string | undefined;
  readonly gone: 'spare' | 'include';
  readonly imported?: 'spare' | 'include' | undefined;
}

/** How an eviction misses what was asked for. Bytes. */
export interface Missed {
  readonly left: number;
  /** More than may stay. */
  readonly over: number;
  /** Of what is left: what is pinned, imported, gone from its upstream, or lives here. */
  readonly kept: number;
}

export interface Pruned extends Removal {
  readonly images: readonly string[];
}

/**
 * What the verbs do that look after what is cached. Those that look read the store, whether a server
 * runs on it or not; those that change something ask the server, and do it themselves where none runs.
 */
export interface Upkeep {
  usage(choices: Choices): Promise<UsageReport>;
  /** Those that fit one of the patterns; all of them if there is no pattern. */
  images(choices: Choices, patterns: readonly string[]): AsyncIterable<CachedImage>;
  /** What would leave, in that order, until so much is left. */
  leaving(choices: Choices, to: string): AsyncIterable<Leaving>;
  evict(choices: Choices, to: string): Promise<Removal>;
  /** By how much more stays than may, once so many bytes more are gone; `undefined` where no more does. */
  missed(choices: Choices, to: string, going: number): Promise<Missed | undefined>;
  planPrune(choices: PruneChoices): Promise<Pruned>;
  prune(choices: PruneChoices): Promise<Pruned>;
  /** How many images fit a pattern and stay all the same, by the reason why they are kept. */
  spared(choices: PruneChoices): Promise<ReadonlyMap<string, number>>;
  /** What a collection would come upon now, one by one. */
  garbage(choices: Choices): AsyncIterable<Collected>;
  /** Collects the garbage of the repositories that live here. */
  collect(choices: Choices): Promise<Collection>;
  pins(choices: Choices): Promise<readonly Pin[]>;
  pin(choices: Choices, pattern: string): Promise<'changed' | 'same'>;
  /** The registry of the pattern, if it names one that is no upstream of the configuration. */
  stranger(choices: Choices, pattern: string): Promise<string | undefined>;
  unpin(choices: Choices, pattern: string): Promise<'changed' | 'same'>;
}
