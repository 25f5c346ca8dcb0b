import type { Collected } from '../../hosted/collect.ts';
import type { Collection } from '../../hosted/collection.ts';
import type { Figures } from '../../store/budget/figures.ts';
import type { Pin } from '../../store/budget/pins.ts';
import type { Imported } from '../../image/bundle/import.ts';
import type { ImportQuery } from '../../image/bundle/query.ts';
import type { PrefetchSummary } from '../../image/prefetch/event.ts';
import type { PrefetchQuery, PrefetchRun } from '../../image/prefetch/prefetcher.ts';
import type { Leaving } from '../../store/inventory/evictable.ts';
import type { PruneQuery } from '../../store/inventory/prune.ts';

/** What was removed, or would be. */
export interface Removed {
  readonly blobs: number;
  readonly bytes: number;
}

export interface Pruned extends Removed {
  readonly images: readonly string[];
}

/** What can be done to a store while it is served. */
export interface Administration {
  /** The folder of the store, to be sure that it is the right one. */
  readonly store: string;
  /** Why the store cannot be used; `undefined` when it can. */
  ready(): Promise<string | undefined>;
  /** How full it is. Where the bytes are, a verb that reads the store tells: adding it up would hold up clients. */
  figures(): Promise<Figures>;
  /**
   * Evicts, the least recently used first, until no more than so many bytes are stored.
   * @throws RegistryError STORAGE_UNAVAILABLE while nothing may be evicted: offline, or while it is looked through
   */
  evict(to: number): Promise<Removed>;
  /** What an eviction would take, in that order. Changes nothing. @throws RegistryError as `evict` */
  leaving(to: number): AsyncIterable<Leaving>;
  /** @throws RegistryError REQUEST_INVALID, STORAGE_UNAVAILABLE */
  prune(query: PruneQuery): Promise<Pruned>;
  /** What pruning would remove. Changes nothing. @throws RegistryError as `prune` */
  planPrune(query: PruneQuery): Promise<Pruned>;
  /** Collects the garbage of the repositories that live here. */
  collect(): Promise<Collection>;
  /** What a collection would come upon, one by one. Changes nothing. */
  garbage(): AsyncIterable<Collected>;
  pins(): Promise<readonly Pin[]>;
  /** @throws RegistryError NAME_INVALID */
  pin(pattern: string): Promise<'changed' | 'same'>;
  /** @throws RegistryError NAME_UNKNOWN, DENIED */
  unpin(pattern: string): Promise<'changed' | 'same'>;
  /** Fetches images before anybody asks for them. @throws RegistryError REQUEST_INVALID, INTERRUPTED */
  prefetch(query: PrefetchQuery, run: PrefetchRun): Promise<PrefetchSummary>;
  /** Takes the images of an archive in. @throws RegistryError saying what is wrong; nothing of it is visible then */
  import(query: ImportQuery, bytes: AsyncIterable<Uint8Array>): Promise<Omit<Imported, 'places'>>;
}
