import type { Ledger } from './ledger.ts';
import type { Meta } from './meta.ts';
import type { Pins } from './pins.ts';
import { scanBlobs, scanRepositories, type ScanOptions } from './scan.ts';

export interface Surveyed {
  /** What is looked through, and what is made whole. */
  readonly scan: ScanOptions;
  readonly ledger: Ledger;
  readonly meta: Meta;
  readonly pins: Pins;
  /** Everything is known: what is there, and what of it must stay. */
  readonly onKnown: () => void;
}

/** Milliseconds until a look that found the index wanting is repeated, at least. */
const AGAIN = 60_000;

/** A look through the whole store is repeated so seldom that it costs one part in so many of the time. */
const SELDOM = 20;

/** How far the index can be believed, and the looks through the store by which it is made whole. */
export class Survey {
  readonly #surveyed: () => Surveyed;
  readonly #counted = Promise.withResolvers<void>();
  #known = false;
  #wanting = false;
  #linked = false;
  #repeatAfter = 0;

  /** @param surveyed asked for from `begin` on: the index can be lost before all of that exists */
  constructor(surveyed: () => Surveyed) {
    this.#surveyed = surveyed;
  }

  /** Whether all that must stay is known, so that the rest may go. */
  get known(): boolean {
    return this.#known;
  }

  /** Whether the index has every link, so that what it has none to may be taken for unlinked. */
  get linked(): boolean {
    return this.#known && this.#linked;
  }

  /** Settles once it is known how much there is. */
  get counted(): Promise<void> {
    return this.#counted.promise;
  }

  /** Begins with what the index was left as. */
  begin(): void {
    const { ledger, meta, pins, scan } = this.#surveyed();
    ledger.count(this.#wanting ? scan.index.recount() : scan.index.counted);
    const clean = meta.get('clean') === 'yes';
    const samePins = meta.get('pins') === pins.fingerprint;
    this.#known = clean && samePins && meta.get('complete') === 'yes';
    this.#linked = this.#known;
    // A row is written before its blob appears, and goes after it: the sum is never too small.
    if (meta.get('counted') === 'yes') this.#counted.resolve();
    meta.set('clean', 'no');
  }

  /** Leaves word of whether the next one can go on from here. */
  end(): void {
    if (this.linked && !this.#wanting) this.#surveyed().meta.set('clean', 'yes');
  }

  /** Something could not be written down: the index lacks it. */
  missed(): void {
    this.#wanting = true;
    this.#linked = false;
  }

  /** The index is gone, and an empty one in its place. */
  lost(): void {
    this.#known = false;
    this.#linked = false;
    this.#wanting = true;
    this.#repeatAfter = 0;
  }

  /** Whether it is time to look through the store again. */
  get due(): boolean {
    return this.#wanting && performance.now() >= this.#repeatAfter;
  }

  /** Holds the index against the disk. Tells whether it can be believed now. */
  async content(): Promise<'counted' | 'interrupted'> {
    const { scan, ledger, meta } = this.#surveyed();
    this.#wanting = false;
    const started = performance.now();
    await scanBlobs(scan);
    const took = performance.now() - started;
    this.#repeatAfter = performance.now() + Math.max(AGAIN, SELDOM * took);
    // An index that was lost or could not be written meanwhile would make the store look smaller than it is.
    if (scan.signal.aborted || this.#wanting) return 'interrupted';
    ledger.count(scan.index.recount());
    meta.set('counted', 'yes');
    this.#counted.resolve();
    return 'counted';
  }

  /** Finds out what must stay. Until that is done nothing is known. */
  async repositories(): Promise<void> {
    const { scan, meta, pins, onKnown } = this.#surveyed();
    this.#known = false;
    meta.set('complete', 'no');
    this.#linked = true;
    await scanRepositories(scan);
    if (scan.signal.aborted || this.#wanting) return;
    meta.set('pins', pins.fingerprint);
    meta.set('complete', 'yes');
    this.#known = true;
    onKnown();
  }
}
