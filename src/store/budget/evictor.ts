import { rm } from 'node:fs/promises';
import { setImmediate } from 'node:timers/promises';
import type { Digest } from '../../core/digest.ts';
import { asError } from '../../core/errors.ts';
import type { LinkStore } from '../links.ts';
import type { Paths } from '../paths.ts';
import type { Accesses } from './accesses.ts';
import type { BlobIndex, Kind, Position, Stored } from './blob-index.ts';
import type { Keeper } from './keeper.ts';
import type { Ledger } from './ledger.ts';
import type { Uses } from './uses.ts';

/** Why content had to go: too much of it, too little room on the disk, too much of one upstream, too old, somebody's wish. */
export type EvictionReason = 'budget' | 'free-space' | 'share' | 'age' | 'request';

export interface Evicted {
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
  /** Milliseconds since somebody asked for it. */
  readonly age: number;
  readonly reason: EvictionReason;
}

/** `unlinked`: only what no repository has a link to, which is of no use to anybody. */
export type EvictionScope = 'anything' | 'unlinked' | 'nothing';

export interface EvictorOptions {
  readonly paths: Paths;
  readonly index: BlobIndex;
  readonly ledger: Ledger;
  readonly accesses: Accesses;
  readonly keeper: Keeper;
  readonly uses: Uses;
  readonly links: LinkStore;
  readonly now: () => number;
  /** What may be evicted at the moment; asked before each removal. */
  readonly scope: () => EvictionScope;
  /** Takes the content out of the store. */
  readonly remove: (digest: Digest) => Promise<void>;
  /** Runs the task while nobody else changes what the content belongs to. */
  readonly exclusively: <T>(digest: Digest, task: () => Promise<T>) => Promise<T>;
  /** Ends a sweep early. */
  readonly signal: AbortSignal;
  readonly onEvicted: (evicted: Evicted) => void;
  readonly onError: (error: Error) => void;
}

export interface Sweep {
  readonly reason: EvictionReason;
  /** Only what came from this upstream. */
  readonly host?: string;
  /** Only what nobody has asked for since, in the store's time. */
  readonly before?: number;
  /** Bytes that still have to go: none or less is enough. Asked often. */
  readonly excess: () => number;
  /** Some more is gone. */
  readonly onProgress?: () => Promise<void>;
}

/** How many are chosen together, and how many removed at a time. */
const CHOSEN = 64;
const TOGETHER = 8;

const START: Position = { accessed: -1, id: -1 };

/**
 * Removes what nobody has asked for the longest. Blobs go first: a manifest is small, and without it
 * the blobs of its image are of no use. What somebody reads or writes, and what is kept, is passed over.
 */
export class Evictor {
  readonly #options: EvictorOptions;

  constructor(options: EvictorOptions) {
    this.#options = options;
  }

  /** Removes until it is enough or nothing is left to be removed; tells how many pieces are gone. */
  async sweep(sweep: Sweep): Promise<number> {
    await this.#options.accesses.flush();
    await this.#options.keeper.settled();
    const any = sweep.host === undefined && sweep.before === undefined;
    let removed = any ? await this.#clear(sweep) : 0;
    for (const kind of ['blob', 'manifest'] as const) removed += await this.#sweepKind(kind, sweep);
    return removed;
  }

  /** Removes one blob unless it is used or kept; tells whether it is gone. */
  async evict(stored: Stored, reason: EvictionReason): Promise<boolean> {
    return this.#removeUnused(stored, reason, () => this.#may(stored.digest));
  }

  /** The same for what can come back by other ways than an upstream: also while offline. */
  async discard(stored: Stored): Promise<boolean> {
    return this.#removeUnused(stored, 'request', () => true);
  }

  #may(digest: Digest): boolean {
    const { scope, index } = this.#options;
    const unlinked = scope() === 'anything' || index.links.repositoriesOf(digest).length === 0;
    // Asked last: an index that could not be read knows of no links.
    return unlinked && scope() !== 'nothing';
  }

  async #removeUnused(
    { digest, size, accessed }: Stored,
    reason: EvictionReason,
    may: () => boolean,
  ): Promise<boolean> {
    const { uses, exclusively, now, onEvicted } = this.#options;
    // Whoever uses it may have it locked for as long as an import takes.
    if (uses.has(digest)) return false;
    const gone = await exclusively(digest, () =>
      uses.remove(digest, () => this.#take(digest, size, may)),
    );
    if (gone !== true) return false;
    onEvicted({ digest, size, age: Math.max(0, now() - accessed), reason });
    return true;
  }

  async #sweepKind(kind: Kind, sweep: Sweep): Promise<number> {
    const { index, signal, scope } = this.#options;
    const { host, before = Infinity, reason, onProgress } = sweep;
    const excess = (): number => (signal.aborted || scope() === 'nothing' ? 0 : sweep.excess());
    let removed = 0;
    for (let after = START; excess() > 0;) {
      const owner = scope() === 'unlinked' ? 'nobody' : undefined;
      const chosen = index.oldest({ kind, host, owner, after, limit: CHOSEN });
      const old = chosen.filter(({ accessed }) => accessed < before);
      for (let from = 0; from < old.length && excess() > 0;) {
        const some = worth(old.slice(from, from + TOGETHER), excess());
        from += some.length;
        const gone = await Promise.all(some.map((one) => this.#evictQuietly(one, reason)));
        removed += gone.filter(Boolean).length;
        await onProgress?.();
      }
      const last = old.at(-1);
      if (last === undefined || old.length < CHOSEN) break;
      after = last.position;
      await setImmediate();
    }
    return removed;
  }

  async #evictQuietly(stored: Stored, reason: EvictionReason): Promise<boolean> {
    // Somebody has asked for it since it was chosen.
    if (this.#options.accesses.has(stored.digest)) return false;
    try {
      return await this.evict(stored, reason);
    } catch (error) {
      this.#options.onError(asError(error));
      return false;
    }
  }

  /** With the content go the links to it: whoever asks again has the upstream say so again. */
  async #take(digest: Digest, size: number, may: () => boolean): Promise<boolean> {
    const { index, keeper, ledger, remove, links } = this.#options;
    if (keeper.why(digest) !== undefined || !may()) return false;
    await remove(digest);
    // Somebody else had removed the file: nobody has told.
    if (index.get(digest) !== undefined) {
      index.remove(digest);
      ledger.remove(size);
    }
    for (const repository of index.links.repositoriesOf(digest)) {
      await links.remove(repository, digest);
      index.links.remove(repository, digest);
    }
    return true;
  }

  /** What downloads have left behind goes before anything that is whole. */
  async #clear({ excess, onProgress }: Sweep): Promise<number> {
    const { ledger, uses, paths, onError } = this.#options;
    let removed = 0;
    for (const digest of ledger.leftovers.keys()) {
      if (excess() <= 0) break;
      const take = async (): Promise<void> => {
        await rm(paths.ingest(digest), { force: true });
        ledger.leave(digest, 0);
        removed += 1;
      };
      await uses.remove(digest, take).catch((error: unknown) => onError(asError(error)));
      await onProgress?.();
    }
    return removed;
  }
}

/** No more of them than it takes to be rid of so many bytes. */
function worth<T extends Stored>(some: readonly T[], bytes: number): readonly T[] {
  let sum = 0;
  const last = some.findIndex(({ size }) => (sum += size) >= bytes);
  return last < 0 ? some : some.slice(0, last + 1);
}
