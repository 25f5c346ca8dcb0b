import { asError } from '../../core/errors.ts';
import type { Digest } from '../../core/digest.ts';
import type { BlobIndex } from './blob-index.ts';
import type { Evictor } from './evictor.ts';
import type { Entry, Ledger } from './ledger.ts';
import { before } from './before.ts';
import type { Claim, Room } from './room.ts';
import type { Space } from './space.ts';

export interface Limits {
  /** Bytes of everything: what is stored, and what is on its way. */
  readonly maxSize: number;
  /** The share of it down to which is cleared. */
  readonly lowWater: number;
  /** Bytes that stay free on the disk. */
  readonly minFree: number;
}

export interface BudgetOptions {
  /** Asked whenever they matter: they may be others than before. */
  readonly limits: () => Limits;
  readonly ledger: Ledger;
  readonly index: BlobIndex;
  readonly evictor: Evictor;
  readonly space: () => Promise<Space>;
  /** Why no content may be evicted at the moment, save what nothing leads to. */
  readonly closed: () => string | undefined;
  /** Bytes of content that may be evicted while that is so. */
  readonly unlinked: () => number;
  /** Settles once it is known what the store takes. */
  readonly counted: Promise<void>;
  /** Content is about to become visible; then it is, or is not after all. */
  readonly onAppearing: (digest: Digest, size: number) => void;
  readonly onVisible: (digest: Digest) => void;
  readonly onVanished: (digest: Digest, size: number) => void;
  /** No room could be made for so many bytes. */
  readonly onRefused: (bytes: number, reason: string) => void;
  readonly onError: (error: Error) => void;
}

interface Waiter {
  readonly bytes: number;
  /** Takes the room, or is told why there is none. */
  readonly settle: (refused?: string) => void;
}

/** Milliseconds. A client waits for its first byte: after that it is served without being stored. */
const PATIENCE = 5_000;
const COUNTED_WITHIN = 2_000;

/** Keeps what is stored and what is on its way within the budget, by making room before it is needed. */
export class Budget implements Room {
  readonly #options: BudgetOptions;
  readonly #waiters = new Set<Waiter>();
  #available = Infinity;
  #counted = false;
  #running: Promise<void> | undefined;

  constructor(options: BudgetOptions) {
    this.#options = options;
    void options.counted.then(() => (this.#counted = true));
  }

  async claim(
    digest: Digest,
    size: number,
    leftover: 'resumable' | 'removed',
  ): Promise<Claim | undefined> {
    const { ledger, onRefused } = this.#options;
    const entry: Entry = { size, written: 0 };
    const resumable = leftover === 'resumable';
    const had = (): number => (resumable ? (ledger.leftovers.get(digest) ?? 0) : 0);
    const take = (): void => {
      entry.written = had();
      if (resumable) ledger.leave(digest, 0);
      ledger.promise(entry);
    };
    const refused = await this.reserve(() => size - had(), take);
    if (refused === undefined) return this.#claim(digest, entry, leftover);
    onRefused(size, refused);
    return undefined;
  }

  /**
   * Sees to room for so many more bytes, for which others may have to leave, and has them taken in the
   * same breath. Why there is none; `undefined` once they are taken.
   */
  async reserve(bytes: () => number, take: () => void): Promise<string | undefined> {
    if (!this.#counted) await before(this.#options.counted, COUNTED_WITHIN);
    await this.#measure();
    return this.#take(bytes(), take);
  }

  /** Why so many bytes could not be stored whatever else went; `undefined` where they could. */
  async refusal(bytes: number): Promise<string | undefined> {
    if (!this.#counted) await before(this.#options.counted, COUNTED_WITHIN);
    await this.#measure();
    return this.#fits(bytes) ? undefined : this.#hopeless(bytes);
  }

  /** Evicts whatever has to go by now, without anybody waiting. */
  async tidy(): Promise<void> {
    await this.#measure();
    if (!this.#fits(0)) await this.#work();
  }

  async settled(): Promise<void> {
    await this.#running;
  }

  /** Why there is no room; `undefined` once it has been taken. */
  #take(bytes: number, take: () => void): Promise<string | undefined> {
    // What is on the disk already needs no room.
    if (bytes <= 0 || this.#fits(bytes)) {
      take();
      return Promise.resolve(undefined);
    }
    const hopeless = this.#hopeless(bytes);
    if (hopeless !== undefined) return Promise.resolve(hopeless);
    const { promise, resolve } = Promise.withResolvers<string | undefined>();
    const waiter: Waiter = {
      bytes,
      settle: (refused) => {
        if (!this.#waiters.delete(waiter)) return;
        clearTimeout(timer);
        if (refused === undefined) take();
        resolve(refused);
      },
    };
    const timer = setTimeout(() => waiter.settle('making room takes too long'), PATIENCE);
    this.#waiters.add(waiter);
    void this.#work();
    return promise;
  }

  #fits(bytes: number): boolean {
    const { limits, ledger } = this.#options;
    if (!this.#counted) return false;
    return ledger.used + bytes <= limits().maxSize && this.#lacking(bytes) <= 0;
  }

  /** Bytes that the disk has too few of, if so many more are to be stored. */
  #lacking(bytes: number): number {
    const { limits, ledger } = this.#options;
    return limits().minFree + ledger.unwritten + bytes - this.#available;
  }

  /** Why not even evicting everything would help. */
  #hopeless(bytes: number): string | undefined {
    const { ledger, index, closed, unlinked } = this.#options;
    if (!this.#counted) return 'what is stored is still being counted';
    const left = ledger.leftovers.values().reduce((sum, size) => sum + size, 0);
    const evictable = Math.max(0, ledger.stored.bytes - index.keptBytes) + left;
    const why = closed();
    const short = this.#short(bytes, evictable);
    if (short !== undefined || why === undefined) return short;
    return this.#short(bytes, unlinked() + left) === undefined ? undefined : why;
  }

  /** What there is too little of for so many bytes even when all that is evictable has left. */
  #short(bytes: number, evictable: number): string | undefined {
    const { limits, ledger } = this.#options;
    const over = ledger.used - evictable + bytes > limits().maxSize;
    if (over) return 'larger than what the budget leaves';
    return this.#lacking(bytes) > evictable ? 'larger than what the disk leaves' : undefined;
  }

  /** One worker makes room for everybody who waits. */
  #work(): Promise<void> {
    this.#running ??= this.#evict()
      .catch((error: unknown) => this.#options.onError(asError(error)))
      .finally(() => {
        this.#running = undefined;
        for (const waiter of this.#waiters) waiter.settle('everything else is in use or kept');
      });
    return this.#running;
  }

  async #evict(): Promise<void> {
    const { limits, ledger, evictor } = this.#options;
    const onProgress = async (): Promise<void> => {
      await this.#measure();
      this.#grant();
    };
    const low = (): number => limits().maxSize * limits().lowWater;
    const demand = (): number => this.#waiters.values().reduce((sum, { bytes }) => sum + bytes, 0);
    const excess = (): number => {
      const wanted = demand();
      return ledger.used + wanted - (wanted > low() ? limits().maxSize : low());
    };
    const lacking = (): number => this.#lacking(demand());
    let removed: number;
    do {
      removed = 0;
      if (ledger.used + demand() > limits().maxSize) {
        removed += await evictor.sweep({ reason: 'budget', excess, onProgress });
      }
      await onProgress();
      if (lacking() > 0) {
        removed += await evictor.sweep({ reason: 'free-space', excess: lacking, onProgress });
      }
      await onProgress();
      // Somebody may have come while it worked.
    } while (removed > 0 && this.#waiters.size > 0);
  }

  #grant(): void {
    for (const waiter of this.#waiters) if (this.#fits(waiter.bytes)) waiter.settle();
  }

  async #measure(): Promise<void> {
    try {
      this.#available = (await this.#options.space()).available;
    } catch (error) {
      // Whether the disk is full will be seen in writing.
      this.#available = Infinity;
      this.#options.onError(asError(error));
    }
  }

  #claim(digest: Digest, entry: Entry, leftover: 'resumable' | 'removed'): Claim {
    const { ledger, onAppearing, onVisible, onVanished } = this.#options;
    let [ended, appeared] = [false, false];
    return {
      wrote: (bytes) => void (entry.written += bytes),
      appearing: () => {
        appeared = true;
        ledger.release(entry);
        onAppearing(digest, entry.size);
      },
      end: (left) => {
        if (ended) return;
        ended = true;
        ledger.release(entry);
        if (left === 'visible') return onVisible(digest);
        if (appeared) onVanished(digest, entry.size);
        if (leftover === 'resumable') ledger.leave(digest, left);
      },
    };
  }
}
