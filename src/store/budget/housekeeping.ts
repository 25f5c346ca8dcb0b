import { statfs } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import type { Digest } from '../../core/digest.ts';
import { asError } from '../../core/errors.ts';
import { Accesses } from './accesses.ts';
import { BlobIndex } from './blob-index.ts';
import { Budget, type Space } from './budget.ts';
import { StoreClock } from './clock.ts';
import type { HousekeepingEvent } from './event.ts';
import { Evictor } from './evictor.ts';
import { IndexDatabase } from './index-database.ts';
import { Keeper } from './keeper.ts';
import { Ledger } from './ledger.ts';
import { Meta } from './meta.ts';
import type { HousekeepingOptions } from './options.ts';
import { Pins } from './pins.ts';
import { scanBlobs, scanPartials, scanRepositories, type ScanOptions } from './scan.ts';
import { readManifest } from './stored-manifest.ts';
import { Uses } from './uses.ts';

/** Bytes and counts. */
export interface Figures {
  /** Complete content. */
  readonly usedBytes: number;
  readonly objects: number;
  /** Promised to running downloads, or left behind by others. */
  readonly partialBytes: number;
  /** Of the complete content: never evicted. */
  readonly keptBytes: number;
  /** Of the file system that holds the store. */
  readonly availableBytes: number;
  readonly capacityBytes: number;
}

/** Milliseconds between two rounds of housekeeping, which is what a crash costs of access times. */
const PAUSE = 5_000;

/** Milliseconds until what could not be looked through or written down is tried again, at least. */
const AGAIN = 60_000;

/** A look through the whole store is repeated so seldom that it costs one part in so many of the time. */
const SELDOM = 20;

/**
 * Everything that keeps a store within its limits for years: what is there and when it was last asked
 * for, what must stay, and what goes. The index behind it may be lost at any time.
 */
export class Housekeeping implements AsyncDisposable {
  readonly uses = new Uses();
  readonly ledger = new Ledger();
  readonly database: IndexDatabase;
  readonly index: BlobIndex;
  readonly clock: StoreClock;
  readonly pins: Pins;
  readonly keeper: Keeper;
  readonly accesses: Accesses;
  readonly evictor: Evictor;
  readonly room: Budget;
  readonly #options: HousekeepingOptions;
  readonly #meta: Meta;
  readonly #stop = new AbortController();
  readonly #counted = Promise.withResolvers<void>();
  readonly #first = Promise.withResolvers<void>();
  #scanned = false;
  /** The index lacks something. */
  #unwell = false;
  #scanAfter = 0;
  #loop: Promise<void> | undefined;

  constructor(options: HousekeepingOptions) {
    const { paths, limits, links } = options;
    this.#options = options;
    const onError = (error: unknown): void =>
      this.#observe({ type: 'index-error', error: asError(error) });
    this.database = new IndexDatabase({
      file: paths.blobIndex,
      onError: (error) => {
        this.#unwell = true;
        onError(error);
      },
      onLost: () => this.#lost(),
    });
    this.#meta = new Meta(this.database);
    this.index = new BlobIndex(this.database);
    this.clock = new StoreClock({ last: this.#meta.clock, ...options.clock });
    const now = (): number => this.clock.now();
    this.accesses = new Accesses({ now, write: (batch) => this.index.access(batch) });
    this.pins = new Pins({ file: paths.pins, configured: options.pins });
    this.keeper = new Keeper({
      database: this.database,
      index: this.index,
      pins: this.pins,
      manifest: (digest) => readManifest(options.content(), digest),
      onError,
    });
    this.evictor = new Evictor({
      paths,
      links,
      index: this.index,
      ledger: this.ledger,
      accesses: this.accesses,
      keeper: this.keeper,
      uses: this.uses,
      now,
      remove: (digest) => options.content().remove(digest),
      exclusively: options.exclusively ?? ((_digest, task) => task()),
      closed: () => this.closed,
      signal: this.#stop.signal,
      onEvicted: (evicted) => this.#observe({ type: 'evicted', ...evicted }),
      onError,
    });
    this.room = new Budget({
      limits,
      ledger: this.ledger,
      index: this.index,
      evictor: this.evictor,
      space: () => this.space(),
      closed: () => this.closed,
      counted: this.#counted.promise,
      onAppearing: (digest, size) => this.#appear(digest, size),
      onVisible: (digest) => this.keeper.stored(digest),
      onVanished: (digest, size) => this.removed(digest, size),
      onRefused: (bytes, reason) => this.#observe({ type: 'no-room', bytes, reason }),
      onError,
    });
  }

  /** Begins. Comes before anything is taken in; what it has to wait for takes no longer with a larger store. */
  async open(): Promise<void> {
    await scanPartials(this.#options.paths, this.ledger);
    await this.pins.read();
    this.ledger.count(this.#unwell ? this.index.recount() : this.index.counted);
    const clean = this.#meta.get('clean') === 'yes';
    const samePins = this.#meta.get('pins') === this.pins.fingerprint;
    this.#scanned = clean && samePins && this.#meta.get('complete') === 'yes';
    // A row is written before its blob appears, and goes after it: the sum is never too small.
    if (this.#meta.get('counted') === 'yes') this.#counted.resolve();
    this.#meta.set('clean', 'no');
    this.#loop = this.#keepHouse();
  }

  /** Somebody asked for the content, which is here. Costs next to nothing. */
  touch(digest: Digest): void {
    this.accesses.note(digest);
  }

  /** Content has become visible by another way than through an ingest. */
  stored(digest: Digest, size: number): void {
    this.#appear(digest, size);
    this.keeper.stored(digest);
  }

  /** Content is gone. */
  removed(digest: Digest, size: number): void {
    this.index.remove(digest);
    this.ledger.remove(size);
    this.keeper.release(digest);
  }

  /** Why nothing may be evicted at the moment. */
  get closed(): string | undefined {
    if (this.#options.network === 'offline') return 'nothing is evicted while offline';
    return this.#scanned ? undefined : 'the store is being looked through';
  }

  async figures(): Promise<Figures> {
    const { bytes, objects } = this.ledger.stored;
    const { available, capacity } = await this.space();
    return {
      usedBytes: bytes,
      objects,
      partialBytes: this.ledger.partial,
      keptBytes: this.index.keptBytes,
      availableBytes: available,
      capacityBytes: capacity,
    };
  }

  async space(): Promise<Space> {
    const { bavail, blocks, bsize } = await statfs(this.#options.paths.root);
    return { available: bavail * bsize, capacity: blocks * bsize };
  }

  /** Settles once the store has been looked through, as far as it can be. */
  async looked(): Promise<void> {
    await this.#first.promise;
  }

  /** Pins have changed: settles once everything that they keep is known. */
  async repin(): Promise<void> {
    this.#scanned = false;
    await this.#scanRepositories();
  }

  /** Does now what is done every few seconds. */
  async round(): Promise<void> {
    const { maxAge, shares, limits } = this.#options;
    this.database.look();
    await this.accesses.flush();
    this.#meta.setClock(this.clock.state);
    if (this.#unwell && performance.now() >= this.#scanAfter) await this.#scan();
    if ((await this.pins.read()) === 'changed') await this.repin();
    if (!this.#scanned) await this.#scanRepositories();
    if (this.closed !== undefined) return;
    const before = this.clock.now() - maxAge;
    if (maxAge > 0) await this.evictor.sweep({ reason: 'age', before, excess: () => Infinity });
    for (const [host, share] of shares) {
      if (this.index.bytesOf(host) <= share) continue;
      const excess = (): number => this.index.bytesOf(host) - share * limits.lowWater;
      await this.evictor.sweep({ reason: 'share', host, excess });
    }
    await this.room.tidy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#loop;
    await this.room.settled();
    await this.keeper.settled();
    this.accesses.flushNow();
    this.#meta.setClock(this.clock.state);
    if (this.#scanned && !this.#unwell) this.#meta.set('clean', 'yes');
    this.database.close();
  }

  async #keepHouse(): Promise<void> {
    const { signal } = this.#stop;
    let failedAt = -Infinity;
    const look = async (task: () => Promise<void>): Promise<void> => {
      if (performance.now() - failedAt < AGAIN) return;
      try {
        await task();
      } catch (error) {
        failedAt = performance.now();
        this.#observe({ type: 'index-error', error: asError(error) });
      }
    };
    await look(() => this.#scan());
    this.#first.resolve();
    while (!signal.aborted) {
      await delay(PAUSE, undefined, { signal, ref: false }).catch(() => {});
      if (!signal.aborted) await look(() => this.round());
    }
  }

  #appear(digest: Digest, size: number): void {
    const { accesses, clock, index, ledger } = this;
    if (index.add(digest, size, Date.now(), clock.now()) === 'new') ledger.add(size);
    else accesses.note(digest);
  }

  get #over(): boolean {
    return this.#stop.signal.aborted;
  }

  /** Holds the index against the disk, and everything else against the index. */
  async #scan(): Promise<void> {
    this.#unwell = false;
    const started = performance.now();
    await scanBlobs(this.#scanOptions);
    const took = performance.now() - started;
    this.#scanAfter = performance.now() + Math.max(AGAIN, SELDOM * took);
    // An index that was lost or could not be written meanwhile would make the store look smaller than it is.
    if (this.#over || this.#unwell) return;
    this.ledger.count(this.index.recount());
    this.#meta.set('counted', 'yes');
    this.#counted.resolve();
    if (!this.#scanned) await this.#scanRepositories();
    await this.room.tidy();
  }

  async #scanRepositories(): Promise<void> {
    this.#meta.set('complete', 'no');
    await scanRepositories(this.#scanOptions);
    if (this.#over || this.#unwell) return;
    this.#meta.set('pins', this.pins.fingerprint);
    this.#meta.set('complete', 'yes');
    this.#scanned = true;
    this.#observe({ type: 'scanned', ...this.ledger.stored });
  }

  get #scanOptions(): ScanOptions {
    const { paths, links, tags } = this.#options;
    const { database, index, clock, keeper } = this;
    return { paths, links, tags, database, index, clock, keeper, signal: this.#stop.signal };
  }

  #lost(): void {
    this.#scanned = false;
    this.#unwell = true;
    this.#scanAfter = 0;
    if (this.#loop !== undefined) this.index.recount();
    this.#observe({ type: 'index-lost' });
  }

  #observe(event: HousekeepingEvent): void {
    this.#options.observe?.(event);
  }
}
