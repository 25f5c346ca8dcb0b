import type { Descriptor } from '../../core/descriptor.ts';
import type { Digest } from '../../core/digest.ts';
import { isUnknown, RegistryError } from '../../core/errors.ts';
import type { Manifest } from '../../core/manifest.ts';
import { formatReference, type Repository } from '../../core/reference.ts';
import { isForeign } from '../../core/foreign.ts';
import { limit } from '../copy/limit.ts';
import { interrupted } from '../copy/reading.ts';
import type { Amount, PrefetchEvent } from './event.ts';
import { asRegistryError } from './as-registry-error.ts';
import type { Parts } from './parts.ts';
import type { Stock } from './stock.ts';

export interface DeliveriesOptions {
  readonly stock: Stock;
  /** Blobs at a time; 4 if left out. */
  readonly parallel?: number | undefined;
  readonly signal: AbortSignal;
  readonly observe: (event: PrefetchEvent) => void;
}

/** What content of an image, or of a run, there was. */
export interface Counted {
  fetched: Amount;
  held: Amount;
}

/** What is told of an image in the end: deliveries add to it. */
export interface Telling {
  readonly counted: Counted;
  readonly notes: string[];
}

const NOTHING: Amount = { blobs: 0, bytes: 0 };

/** To begin with, of an image or of a run. */
export function nothing(): Counted {
  return { fetched: NOTHING, held: NOTHING };
}

/** Has content stored: whatever images of a run share is brought once, and counted once in the sum. */
export class Deliveries {
  readonly #options: DeliveriesOptions;
  readonly #limited: <T>(task: () => Promise<T>) => Promise<T>;
  /** By repository and digest: what was brought, or is on its way. */
  readonly #brought = new Map<string, Promise<unknown>>();
  readonly #leftOut = new Set<Digest>();
  readonly #sum = nothing();

  constructor(options: DeliveriesOptions) {
    this.#options = options;
    this.#limited = limit(options.parallel ?? 4);
  }

  /** Of the whole run. */
  get sum(): Readonly<Counted> {
    return this.#sum;
  }

  /** Layers that their registry does not hand on. */
  get leftOut(): ReadonlySet<Digest> {
    return this.#leftOut;
  }

  /**
   * Settles when all of the parts are here, or none of them is on its way any more.
   * @throws RegistryError of the first that did not come, with how many more there are
   */
  async bring(repository: Repository, parts: Parts, told: Telling): Promise<void> {
    for (const manifest of parts.manifests) this.#count(repository, manifest, told.counted);
    const beside = Promise.all(parts.beside.map((blob) => this.#beside(repository, blob, told)));
    const outcomes = await Promise.allSettled([
      ...parts.blobs.map((blob) => this.#once(repository, blob, told)),
      beside,
    ]);
    const failed = outcomes.filter((outcome) => outcome.status === 'rejected');
    const [first, ...more] = failed;
    if (first === undefined) return;
    if (more.length === 0) throw first.reason;
    const { code, message } = asRegistryError(first.reason);
    throw new RegistryError(code, `${message} (and ${more.length} more blobs)`);
  }

  async #beside(repository: Repository, blob: Descriptor, told: Telling): Promise<void> {
    try {
      await this.#once(repository, blob, told);
    } catch (error) {
      if (!isUnknown(error)) throw error;
    }
  }

  #count(repository: Repository, { descriptor, served }: Manifest, counted: Counted): void {
    const { digest, size } = descriptor;
    const key = formatReference(repository, digest);
    if (this.#brought.has(key)) return this.#add(counted, 'held', size);
    this.#brought.set(key, Promise.resolve());
    const fetched = served?.result === 'miss' || served?.result === 'joined';
    this.#add(counted, fetched ? 'fetched' : 'held', size, 'first');
  }

  async #once(repository: Repository, blob: Descriptor, told: Telling): Promise<void> {
    const key = formatReference(repository, blob.digest);
    const running = this.#brought.get(key);
    if (running !== undefined) {
      await running;
      this.#add(told.counted, 'held', blob.size);
      return;
    }
    const bringing = this.#limited(() => this.#fetch(repository, blob, told));
    this.#brought.set(key, bringing);
    await bringing;
  }

  async #fetch(repository: Repository, blob: Descriptor, { counted, notes }: Telling) {
    const { stock, signal } = this.#options;
    if (signal.aborted) throw interrupted(signal);
    const { digest, size } = blob;
    const image = formatReference(repository, digest);
    const end = (how: (PrefetchEvent & { type: 'blob-done' })['how']): void =>
      this.#options.observe({ type: 'blob-done', digest, size, how });
    this.#options.observe({ type: 'blob-started', digest, size, image });
    const onBytes = (bytes: number) =>
      this.#options.observe({ type: 'blob-progress', digest, bytes });
    try {
      const { how, bytes } = await stock.bring(repository, blob, { signal, onBytes });
      this.#add(counted, how, how === 'held' ? size : bytes, 'first');
      end(how);
    } catch (error) {
      if (!isForeign(blob) || !isUnknown(error)) {
        end('failed');
        throw error;
      }
      notes.push(`${digest} is a layer that its registry does not hand on`);
      this.#leftOut.add(digest);
      end('left-out');
    }
  }

  #add(counted: Counted, how: 'held' | 'fetched', bytes: number, again?: 'first'): void {
    const one = { blobs: 1, bytes };
    counted[how] = plus(counted[how], one);
    if (again === 'first') this.#sum[how] = plus(this.#sum[how], one);
  }
}

function plus(a: Amount, b: Amount): Amount {
  return { blobs: a.blobs + b.blobs, bytes: a.bytes + b.bytes };
}
