import type { Descriptor } from '../../core/descriptor.ts';
import type { Digest } from '../../core/digest.ts';
import { asError, isUnknown, RegistryError, systemCode } from '../../core/errors.ts';
import type { Manifest } from '../../core/manifest.ts';
import { atDigest, formatReference, type Repository } from '../../core/reference.ts';
import type { Served } from '../../core/served.ts';
import { isForeign } from '../copy/carrier.ts';
import { limit } from '../copy/limit.ts';
import { interrupted } from '../copy/reading.ts';
import type { Amount, PrefetchEvent, PrefetchFailure, PrefetchSummary } from './event.ts';
import { distinct, expand, type Item } from './expand.ts';
import { partsOf, type Choice, type Parts } from './parts.ts';
import type { Stock } from './stock.ts';

export interface PrefetchOptions extends Choice {
  /** References, or patterns of tags. */
  readonly images: readonly string[];
  readonly stock: Stock;
  /** Tags that one pattern may fit. */
  readonly maxTags: number;
  /** Blobs at a time; 4 if left out. */
  readonly parallel?: number;
  readonly signal: AbortSignal;
  readonly observe?: (event: PrefetchEvent) => void;
}

/** Images that are looked at at a time: their manifests come while blobs of others do. */
const IMAGES_AT_A_TIME = 4;

/** How often an image is looked at anew whose tag moves while it is fetched. */
const TRIES = 3;

/** Names that one run takes, and images that patterns may make of them. */
const MOST_NAMES = 10_000;
const MOST_IMAGES = 20_000;

/**
 * Has images stored without a client that pulls them: what they consist of, and their tags last. What
 * fails keeps nothing else from coming, and is told in the end.
 * @throws RegistryError REQUEST_INVALID for too many names; INTERRUPTED when the signal ended it
 */
export async function prefetch(options: PrefetchOptions): Promise<PrefetchSummary> {
  const { images, signal } = options;
  refuseMore(images.length, MOST_NAMES, 'names');
  const run = new Run(options);
  const limited = limit(IMAGES_AT_A_TIME);
  const texts = [...new Set(images)];
  const found = await Promise.all(texts.map((text) => limited(() => run.expand(text))));
  const items = distinct(found.flat());
  refuseMore(items.length, MOST_IMAGES, 'images');
  await Promise.all(items.map((item) => limited(() => run.image(item))));
  if (signal.aborted) throw interrupted(signal);
  await run.lookAgain();
  return run.summary;
}

function refuseMore(count: number, most: number, what: string): void {
  if (count <= most) return;
  const message = `${count} ${what}; ${most} are the most for one run`;
  throw new RegistryError('REQUEST_INVALID', message);
}

interface Counted {
  fetched: Amount;
  held: Amount;
}

const NOTHING: Amount = { blobs: 0, bytes: 0 };

class Run {
  readonly #options: PrefetchOptions;
  readonly #limited: <T>(task: () => Promise<T>) => Promise<T>;
  /** By repository and digest: what was brought, or is on its way. */
  readonly #brought = new Map<string, Promise<unknown>>();
  readonly #complete: { readonly item: Item; readonly digests: readonly Digest[] }[] = [];
  readonly #failures: PrefetchFailure[] = [];
  readonly #leftOut = new Set<Digest>();
  readonly #sum: Counted = { fetched: NOTHING, held: NOTHING };

  constructor(options: PrefetchOptions) {
    this.#options = options;
    this.#limited = limit(options.parallel ?? 4);
  }

  get summary(): PrefetchSummary {
    const { fetched, held } = this.#sum;
    return { complete: this.#complete.length, fetched, held, failures: this.#failures };
  }

  async expand(text: string): Promise<readonly Item[]> {
    const { stock, maxTags, signal } = this.#options;
    if (signal.aborted) return [];
    try {
      return await expand(text, { stock, maxTags, observe: (event) => this.#tell(event) });
    } catch (error) {
      this.#failed(text, error);
      return [];
    }
  }

  async image(item: Item): Promise<void> {
    const { signal } = this.#options;
    if (signal.aborted) return;
    const image = nameOf(item);
    this.#tell({ type: 'image-started', image });
    const counted: Counted = { fetched: NOTHING, held: NOTHING };
    const notes = [...item.notes];
    try {
      const { digest, digests } = await this.#whole(item, counted, notes);
      this.#complete.push({ item, digests });
      this.#tell({ type: 'image-done', image, digest, ...counted, notes });
    } catch (error) {
      if (!signal.aborted) this.#failed(image, error);
    }
  }

  /** What came first may have had to make way for what came last: then there is no room for all of it. */
  async lookAgain(): Promise<void> {
    const { stock } = this.#options;
    for (const one of this.#complete.splice(0)) {
      const { item, digests } = one;
      const here = await Promise.all(digests.map((digest) => stock.has(item.repository, digest)));
      const left = here.filter((is) => !is).length;
      if (left === 0) {
        this.#complete.push(one);
        continue;
      }
      const reason = `${left} of ${digests.length} blobs have left again to make room: storage.maxSize is too small for all that was asked for`;
      this.#failed(nameOf(item), new RegistryError('STORAGE_UNAVAILABLE', reason));
    }
  }

  async #whole({ repository, at }: Item, counted: Counted, notes: string[]) {
    const { stock } = this.#options;
    let root = await this.#root({ repository, at }, notes);
    for (let attempt = 1; ; attempt += 1) {
      const parts = await partsOf(stock, repository, root, this.#options);
      notes.push(...parts.notes);
      await this.#bring(repository, parts, { counted, notes });
      for (const tag of parts.tags) await stock.tag(repository, tag);
      const { digest } = root.descriptor;
      const digests = [...parts.manifests.map(({ descriptor }) => descriptor), ...parts.blobs]
        .map((one) => one.digest)
        .filter((one) => !this.#leftOut.has(one));
      if (atDigest(at)) return { digest, digests };
      // The tag comes last: until then, should the upstream go away, it means what is here whole.
      const named = await stock.tag(repository, at);
      if (named.descriptor.digest === digest) return { digest, digests };
      if (attempt === TRIES) throw new RegistryError('UPSTREAM_INVALID', 'the tag keeps moving');
      root = named;
    }
  }

  async #root({ repository, at }: Pick<Item, 'repository' | 'at'>, notes: string[]) {
    const { stock } = this.#options;
    if (atDigest(at)) return stock.manifest(repository, at);
    const { descriptor, served } = await stock.resolve(repository, at);
    notes.push(...warnings(served));
    try {
      return await stock.manifest(repository, descriptor.digest);
    } catch (error) {
      // Some registries do not find by digest what they have just named.
      if (!isUnknown(error)) throw error;
      return stock.tag(repository, at);
    }
  }

  async #bring(repository: Repository, parts: Parts, told: Telling): Promise<void> {
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

  /** Whatever images share is brought once, and counted once in the sum. */
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
      this.#tell({ type: 'blob-done', digest, size, how });
    this.#tell({ type: 'blob-started', digest, size, image });
    const onBytes = (bytes: number) => this.#tell({ type: 'blob-progress', digest, bytes });
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

  #failed(image: string, error: unknown): void {
    const { code, message: reason } = asRegistryError(error);
    const failure = { image, code, reason };
    this.#failures.push(failure);
    this.#tell({ type: 'image-failed', ...failure });
  }

  #tell(event: PrefetchEvent): void {
    this.#options.observe?.(event);
  }
}

interface Telling {
  readonly counted: Counted;
  readonly notes: string[];
}

function nameOf({ repository, at }: Item): string {
  return formatReference(repository, at);
}

function plus(a: Amount, b: Amount): Amount {
  return { blobs: a.blobs + b.blobs, bytes: a.bytes + b.bytes };
}

function warnings(served: Served | undefined): readonly string[] {
  if (served?.result !== 'stale') return [];
  const why = served.detail ?? 'unreachable';
  return [served.warning ?? `the upstream could not be asked (${why}): this is what was known`];
}

function asRegistryError(error: unknown): RegistryError {
  if (error instanceof RegistryError) return error;
  const { message } = asError(error);
  return new RegistryError(
    systemCode(error) === undefined ? 'UNKNOWN' : 'STORAGE_UNAVAILABLE',
    message,
  );
}
