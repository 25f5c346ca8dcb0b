import type { Digest } from '../core/digest.ts';
import type { Repository } from '../core/reference.ts';
import type { WatchableLinks } from '../store/links.ts';
import type { Records } from '../store/records.ts';
import type { ContentStore } from '../store/store.ts';
import type { Dated } from '../store/budget/past.ts';
import type { Uses } from '../store/budget/uses.ts';
import type { UploadStore } from '../store/uploads.ts';
import { DiskChanges, type Changed } from './changes.ts';
import { collect, type Collected } from './collect.ts';
import type { Hosted } from './hosted.ts';
import { Manifests } from './manifests.ts';
import type { Pin } from './mark.ts';
import { DiskMounts } from './mounts.ts';
import { Locks, Watch, type Parts } from './parts.ts';
import { placeStored, type Commit, type StoredContent } from './place-stored.ts';
import { reading } from './reading.ts';
import type { Sparse } from './references.ts';
import { DiskUploads } from './uploads.ts';

/** What may be pushed, and what stays. */
export interface HostedRules {
  readonly sparse: Sparse;
  /** Bytes that one blob may have. */
  readonly maxSize: number;
  /** Milliseconds after which an upload that nobody touches is thrown away. */
  readonly expireAfter: number;
  /** Milliseconds; see `CollectOptions`. */
  readonly grace: number;
  readonly untaggedFor: number;
  readonly pins: readonly Pin[];
}

export interface HostedOptions {
  readonly records: Records;
  readonly content: ContentStore;
  readonly uploads: UploadStore;
  /** Who reads or writes what of the content at the moment: none of it is collected. */
  readonly uses: Uses;
  /** What mirrored repositories are known to hold: it can be mounted, and is not collected. */
  readonly mirrored: WatchableLinks;
  /** Whether blobs may be mounted from the repository; left out: from those that live here. */
  readonly mountable?: (repository: Repository) => Promise<boolean>;
  /** Asked whenever they matter: they may be others than before. */
  readonly rules: () => HostedRules;
  /** A tag means something else, or nothing any more. */
  readonly onTags?: (repository: Repository, how: Changed) => void;
  /** A repository is about to hold the content, which from now on must not be evicted. */
  readonly onHeld?: (digest: Digest) => void;
  /** No repository that lives here holds the content any more. */
  readonly onReleased?: (digest: Digest) => void;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
  /** How old files are, which that clock dates; left out, it is believed. */
  readonly dated?: Dated;
}

/** The repositories that live here, and what keeps them tidy. */
export interface HostedRepositories extends Hosted {
  /**
   * Removes what nothing leads to, or only tells what that is. One after the other, whoever calls;
   * may be left at any point. @throws Error of Node, RegistryError, or the signal's reason
   */
  collect(mode: 'collect' | 'report', signal?: AbortSignal): AsyncGenerator<Collected>;
  /** Throws away uploads that nobody has touched for too long; tells how many. @throws Error of Node */
  expire(): Promise<number>;
  /** Has repositories hold what is stored; see `placeStored`. */
  place<T>(content: StoredContent, task: (commit: Commit) => Promise<T>): Promise<T>;
  /** Runs the task while nothing else changes what holds the content: for whoever evicts. */
  exclusively<T>(digest: Digest, task: () => Promise<T>): Promise<T>;
}

/** At most so often, in milliseconds, is it noted that content is still asked for. */
const USED_EVERY = 60 * 60 * 1000;

/**
 * Works on a store whose records have been recovered (`Records.recover`), and that nobody else
 * changes; for reading and `report` alone neither is needed.
 */
export function hostedRepositories(options: HostedOptions): HostedRepositories {
  const { now = Date.now, dated = { now, of: (at) => at }, rules } = options;
  const locks = new Locks();
  const manifests = new Manifests(options);
  const parts: Parts = { ...options, locks, now, dated, watch: new Watch(options.onHeld) };
  const uploads = new DiskUploads({ ...options, ...parts });
  const changing = { ...options, ...parts, manifests };
  return {
    ...reading({ ...parts, manifests, usedEvery: () => Math.min(USED_EVERY, rules().grace / 4) }),
    uploads,
    mounts: new DiskMounts({ ...options, ...parts }),
    changes: new DiskChanges(changing),
    place: (stored, task) => placeStored(changing, stored, task),
    collect: inTurn((mode, signal) =>
      collect({ ...options, ...rules(), ...parts, manifests, mode, ...(signal && { signal }) }),
    ),
    expire: () => uploads.expire(),
    exclusively: (digest, task) => locks.digest(digest, task),
  };
}

/** The same, so that each waits for the one that was called before it to end. */
function inTurn(collecting: HostedRepositories['collect']): HostedRepositories['collect'] {
  let last = Promise.resolve();
  return async function* (mode, signal) {
    const before = last;
    const { promise, resolve } = Promise.withResolvers<void>();
    last = promise;
    try {
      await before;
      yield* collecting(mode, signal);
    } finally {
      resolve();
    }
  };
}
