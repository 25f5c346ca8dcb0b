import type { Descriptor } from '../../core/descriptor.ts';
import type { Digest } from '../../core/digest.ts';
import { isUnknown, RegistryError } from '../../core/errors.ts';
import type { Range } from '../../core/range.ts';
import { same, type Repository } from '../../core/reference.ts';
import type { Placement, Sink } from '../../core/sink.ts';
import type { Blob, Shared, Source } from '../../core/source.ts';
import { isForeign } from '../../core/foreign.ts';
import { originOf, type Observe, type Origin } from './event.ts';
import { withRepository } from '../wrong-content.ts';
import { limit } from './limit.ts';
import { interrupted, reading } from './reading.ts';

/**
 * What becomes of layers that may not be handed on: they stay where they are, are fetched where the
 * source has them, or are content like any other.
 */
export type ForeignLayers = 'left-out' | 'if-there' | 'copied';

export interface CarrierOptions {
  readonly sink: Sink;
  readonly parallel: number;
  readonly foreign: ForeignLayers;
  readonly signal: AbortSignal;
  readonly observe: Observe;
}

/** A blob to be brought from one place to another. */
export interface Load {
  readonly source: Source;
  readonly from: Repository;
  readonly to: Repository;
  readonly descriptor: Descriptor;
}

/** Takes blobs to a sink: each once, so many at a time, and whatever several images share first. */
export class Carrier {
  readonly #options: CarrierOptions;
  readonly #limited: <T>(task: () => Promise<T>) => Promise<T>;
  /** What was brought, or is on its way, and where to. */
  readonly #brought = new Map<
    Digest,
    { readonly to: Repository; readonly done: Promise<void> }[]
  >();

  constructor(options: CarrierOptions) {
    this.#options = options;
    this.#limited = limit(options.parallel);
  }

  /** Settles once the sink has it, by this call or by another one. */
  async bring(load: Load): Promise<void> {
    const { digest } = load.descriptor;
    const earlier = this.#brought.get(digest) ?? [];
    const again = earlier.find(({ to }) => same(to, load.to));
    if (again !== undefined) return again.done;
    const [first] = earlier;
    // The same content for another repository may be mounted there once it is somewhere.
    const done = first === undefined ? this.#carry(load) : this.#carryOn(load, first);
    this.#brought.set(digest, [...earlier, { to: load.to, done }]);
    return done;
  }

  async #carryOn(load: Load, first: { readonly to: Repository; readonly done: Promise<void> }) {
    await first.done;
    await this.#carry(load, first.to);
  }

  #carry(load: Load, mount?: Repository): Promise<void> {
    return this.#limited(async () => {
      const { observe, signal } = this.#options;
      const { descriptor } = load;
      if (signal.aborted) throw interrupted(signal);
      const foreign = isForeign(descriptor) ? this.#options.foreign : 'copied';
      if (foreign === 'left-out') return observe({ type: 'blob-left-out', descriptor });
      observe({ type: 'blob-started', descriptor });
      const trip = new Trip(load, this.#options, mount);
      try {
        await trip.run();
      } catch (error) {
        if (signal.aborted) throw interrupted(signal);
        if (foreign !== 'if-there' || !trip.missing || !isUnknown(error)) {
          throw withRepository(error, load.source, load.from);
        }
        observe({ type: 'blob-left-out', descriptor });
      }
    });
  }
}

/** One blob on its way. */
class Trip {
  readonly #load: Load;
  readonly #options: CarrierOptions;
  readonly #mount: Repository | undefined;
  #origin: Origin | undefined;
  /** Whether bytes that lay on this machine were part of it: those may have been damaged. */
  #local = false;
  #missing = false;
  #taken = 0;

  constructor(load: Load, options: CarrierOptions, mount: Repository | undefined) {
    this.#load = load;
    this.#options = options;
    this.#mount = mount;
  }

  /** Whether the source said that it does not have it. */
  get missing(): boolean {
    return this.#missing;
  }

  async run(): Promise<void> {
    const { observe, signal } = this.#options;
    const { descriptor } = this.#load;
    let placement: Placement;
    try {
      placement = await this.#place();
    } catch (error) {
      // What lay here was thrown away when it turned out to be wrong: the second attempt is another.
      if (!this.#local || signal.aborted || !(error instanceof RegistryError)) throw error;
      this.#local = false;
      this.#origin = undefined;
      placement = await this.#place();
    }
    const from = placement === 'written' ? (this.#origin ?? 'upstream') : placement;
    observe({ type: 'blob-done', descriptor, from });
  }

  #place(): Promise<Placement> {
    const { sink, observe } = this.#options;
    const { to, from, descriptor } = this.#load;
    if (this.#taken > 0) {
      this.#taken = 0;
      observe({ type: 'blob-progress', descriptor, bytes: 0 });
    }
    return sink.blob(to, descriptor, (range) => this.#open(range), {
      from: this.#mount ?? (from.host === to.host && !same(from, to) ? from : undefined),
      progress: (bytes) => {
        this.#taken += bytes;
        observe({ type: 'blob-progress', descriptor, bytes: this.#taken });
      },
    });
  }

  async #open(range: Range | undefined): Promise<Blob> {
    const { signal, observe } = this.#options;
    const { source, from, descriptor } = this.#load;
    const { digest } = descriptor;
    if (signal.aborted) throw interrupted(signal);
    let blob: Blob;
    try {
      blob = await source.blob(from, digest, range);
    } catch (error) {
      this.#missing = isUnknown(error);
      throw error;
    }
    if (blob.shared !== undefined) return this.#sharing(blob, blob.shared);
    let local = blob.local ?? 0;
    if (local > 0) this.#local = true;
    const origin = source.lies === 'here' ? 'disk' : originOf(blob.served);
    this.#origin ??= local === blob.span.end - blob.span.start && local > 0 ? 'cache' : origin;
    return reading(blob, {
      signal,
      onBytes: (bytes) => {
        const had = Math.min(local, bytes);
        local -= had;
        if (had > 0) observe({ type: 'blob-read', digest, from: 'cache', bytes: had });
        if (bytes > had) observe({ type: 'blob-read', digest, from: origin, bytes: bytes - had });
      },
    });
  }

  /** What another process was fetching, and who goes on with it where that one ends. */
  #sharing(blob: Blob, shared: () => Shared): Blob {
    const { signal, observe } = this.#options;
    const { digest } = this.#load.descriptor;
    let known = 0;
    // That one may have been sent something else.
    this.#local = true;
    this.#origin = 'neighbour';
    return reading(blob, {
      signal,
      onBytes: (bytes) => {
        const { bytes: theirs, served } = shared();
        const had = theirs - known;
        known = theirs;
        if (had > 0) observe({ type: 'blob-read', digest, from: 'neighbour', bytes: had });
        if (bytes === had) return;
        this.#origin = originOf(served);
        observe({ type: 'blob-read', digest, from: this.#origin, bytes: bytes - had });
      },
    });
  }
}
