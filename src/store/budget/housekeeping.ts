import type { Digest } from '../../core/digest.ts';
import { asError } from '../../core/errors.ts';
import { Accesses } from './accesses.ts';
import { BlobIndex } from './blob-index.ts';
import { Budget } from './budget.ts';
import { StoreClock } from './clock.ts';
import type { HousekeepingEvent } from './event.ts';
import { Evictor, type EvictionScope } from './evictor.ts';
import { figuresOf, type Figures } from './figures.ts';
import { IndexDatabase } from './index-database.ts';
import { Keeper } from './keeper.ts';
import { Ledger } from './ledger.ts';
import { Meta } from './meta.ts';
import { Past } from './past.ts';
import type { HousekeepingOptions } from './options.ts';
import { Pins } from './pins.ts';
import { Rounds } from './rounds.ts';
import { scanPartials, scanUploads } from './scan.ts';
import { readManifest } from './stored-manifest.ts';
import { Shares } from './shares.ts';
import { spaceOf, type Space } from './space.ts';
import { Survey, type Surveyed } from './survey.ts';
import type { UploadRoom } from './room.ts';
import { UploadBudget } from './upload-budget.ts';
import { Uses } from './uses.ts';

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
  /** By which what the system's clock has dated grows old. */
  readonly past: Past;
  readonly pins: Pins;
  readonly keeper: Keeper;
  readonly accesses: Accesses;
  readonly evictor: Evictor;
  readonly room: Budget;
  readonly shares: Shares;
  /** The same for what is pushed. */
  readonly uploadRoom: UploadRoom;
  readonly #options: HousekeepingOptions;
  readonly #meta: Meta;
  readonly #space: () => Promise<Space>;
  readonly #survey = new Survey(() => this.#surveyed);
  readonly #rounds: Rounds;

  constructor(options: HousekeepingOptions) {
    const { paths, rules, links } = options;
    this.#options = options;
    this.#space = options.space ?? (() => spaceOf(paths.root));
    const onError = (error: unknown): void =>
      this.#observe({ type: 'index-error', error: asError(error) });
    this.#rounds = new Rounds({ first: () => this.#look(), round: () => this.round(), onError });
    this.database = new IndexDatabase({
      file: paths.blobIndex,
      onError: (error) => {
        this.#survey.missed();
        onError(error);
      },
      onLost: () => this.#lost(),
    });
    this.#meta = new Meta(this.database);
    this.index = new BlobIndex(this.database);
    this.clock = new StoreClock({ last: this.#meta.clock, ...options.clock });
    this.past = new Past({ last: this.#meta.past, ...options.clock });
    const now = (): number => this.clock.now();
    this.accesses = new Accesses({ now, write: (batch) => this.index.access(batch) });
    this.pins = new Pins({
      file: paths.pins,
      staging: paths.journal,
      configured: () => rules().pins,
    });
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
      scope: () => this.scope,
      signal: this.#rounds.signal,
      onEvicted: (evicted) => this.#observe({ type: 'evicted', ...evicted }),
      onError,
    });
    this.shares = new Shares({
      rules,
      index: this.index,
      evictor: this.evictor,
      closed: () => this.closed,
    });
    this.room = new Budget({
      limits: () => rules().limits,
      ledger: this.ledger,
      index: this.index,
      evictor: this.evictor,
      space: this.#space,
      closed: () => this.closed,
      unlinked: () => (this.scope === 'unlinked' ? this.index.unlinkedBytes : 0),
      counted: this.#survey.counted,
      onAppearing: (digest, size) => this.#appear(digest, size),
      onVisible: (digest) => this.keeper.stored(digest),
      onVanished: (digest, size) => this.removed(digest, size),
      onRefused: (bytes, reason) => this.#observe({ type: 'no-room', bytes, reason }),
      onError,
    });
    this.uploadRoom = new UploadBudget({
      budget: this.room,
      ledger: this.ledger,
      index: this.index,
      limits: () => options.rules().limits,
    });
  }

  /** Begins. Comes before anything is taken in; what it has to wait for takes no longer with a larger store. */
  async open(): Promise<void> {
    await scanPartials(this.#options.paths, this.ledger);
    await scanUploads(this.#options.paths, this.ledger);
    await this.pins.read();
    this.#survey.begin();
    // Whoever reads the store from now on has to know since when the clock goes as it does.
    this.#noteTime();
    this.#rounds.begin();
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

  /** Why nothing that a repository has a link to may be evicted at the moment. */
  get closed(): string | undefined {
    if (this.#options.rules().network === 'offline') return 'nothing is evicted while offline';
    return this.#survey.known ? undefined : 'the store is being looked through';
  }

  /** What may be evicted at the moment. What nothing leads to is what a lost import has left. */
  get scope(): EvictionScope {
    if (this.closed === undefined) return 'anything';
    return this.offline && this.#survey.linked ? 'unlinked' : 'nothing';
  }

  /** Whether the index has every link: what it has none to is unlinked. */
  get linked(): boolean {
    return this.#survey.linked;
  }

  /** Whether it is only for want of a network that nothing may be evicted. */
  get offline(): boolean {
    return this.#options.rules().network === 'offline' && this.#survey.known;
  }

  async figures(): Promise<Figures> {
    return figuresOf({ ledger: this.ledger, index: this.index, space: await this.#space() });
  }

  /** Settles once the store has been looked through, as far as it can be. */
  async looked(): Promise<void> {
    await this.#rounds.first();
  }

  /** Pins have changed: settles once everything that they keep is known. */
  async repin(): Promise<void> {
    await this.#survey.repositories();
  }

  /** Other rules are in force: what follows from them is done soon, rather than in some seconds. */
  hurry(): void {
    this.#rounds.hurry();
  }

  /** Does now what is done every few seconds. */
  async round(): Promise<void> {
    this.database.look();
    await this.accesses.flush();
    this.#noteTime();
    if (this.#survey.due) await this.#look();
    if ((await this.pins.read()) === 'changed') await this.repin();
    if (!this.#survey.known) await this.#survey.repositories();
    if (this.closed !== undefined) return;
    const { maxAge } = this.#options.rules();
    const before = this.clock.now() - maxAge;
    if (maxAge > 0) await this.evictor.sweep({ reason: 'age', before, excess: () => Infinity });
    await this.shares.keep();
    await this.room.tidy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#rounds[Symbol.asyncDispose]();
    await this.room.settled();
    await this.keeper.settled();
    this.accesses.flushNow();
    this.#noteTime();
    this.#survey.end();
    this.database.close();
  }

  #noteTime(): void {
    this.past.look();
    this.#meta.setClock(this.clock.state);
    this.#meta.setPast(this.past.stretches);
  }

  #appear(digest: Digest, size: number): void {
    const { accesses, clock, index, ledger } = this;
    if (index.add(digest, size, Date.now(), clock.now()) === 'new') ledger.add(size);
    else accesses.note(digest);
  }

  /** Looks through the whole store. */
  async #look(): Promise<void> {
    if ((await this.#survey.content()) === 'interrupted') return;
    const wanting = this.offline && !this.#survey.linked;
    if (!this.#survey.known || wanting) await this.#survey.repositories();
    await this.room.tidy();
  }

  get #surveyed(): Surveyed {
    const { paths, links, tags } = this.#options;
    const { database, index, clock, keeper, ledger, pins } = this;
    return {
      scan: { paths, links, tags, database, index, clock, keeper, signal: this.#rounds.signal },
      ledger,
      meta: this.#meta,
      pins,
      onKnown: () => this.#observe({ type: 'scanned', ...ledger.stored }),
    };
  }

  #lost(): void {
    this.#survey.lost();
    if (this.#rounds.begun) this.index.recount();
    this.#observe({ type: 'index-lost' });
  }

  #observe(event: HousekeepingEvent): void {
    this.#options.observe?.(event);
  }
}
