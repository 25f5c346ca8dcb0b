import type { Digest } from '../../core/digest.ts';
import { isUnknown, RegistryError } from '../../core/errors.ts';
import { atDigest, formatReference } from '../../core/reference.ts';
import type { Served } from '../../core/served.ts';
import { limit } from '../copy/limit.ts';
import { interrupted } from '../copy/reading.ts';
import { asRegistryError } from './as-registry-error.ts';
import { Deliveries, nothing, type Telling } from './deliveries.ts';
import type { PrefetchEvent, PrefetchFailure, PrefetchSummary } from './event.ts';
import { distinct, expand, type Item } from './expand.ts';
import { interruptible } from './interruptible.ts';
import { partsOf, type Choice } from './parts.ts';
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
  const run = new Run({ ...options, stock: interruptible(options.stock, signal) });
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

class Run {
  readonly #options: PrefetchOptions;
  readonly #deliveries: Deliveries;
  readonly #complete: { readonly item: Item; readonly digests: readonly Digest[] }[] = [];
  readonly #failures: PrefetchFailure[] = [];

  constructor(options: PrefetchOptions) {
    this.#options = options;
    const { stock, parallel, signal } = options;
    const observe = (event: PrefetchEvent): void => this.#tell(event);
    this.#deliveries = new Deliveries({ stock, parallel, signal, observe });
  }

  get summary(): PrefetchSummary {
    const { fetched, held } = this.#deliveries.sum;
    return { complete: this.#complete.length, fetched, held, failures: this.#failures };
  }

  async expand(text: string): Promise<readonly Item[]> {
    const { stock, maxTags, signal } = this.#options;
    if (signal.aborted) return [];
    try {
      return await expand(text, { stock, maxTags, observe: (event) => this.#tell(event) });
    } catch (error) {
      if (!signal.aborted) this.#failed(text, error);
      return [];
    }
  }

  async image(item: Item): Promise<void> {
    const { signal } = this.#options;
    if (signal.aborted) return;
    const image = nameOf(item);
    this.#tell({ type: 'image-started', image });
    const told: Telling = { counted: nothing(), notes: [...item.notes] };
    try {
      const { digest, digests } = await this.#whole(item, told);
      this.#complete.push({ item, digests });
      this.#tell({ type: 'image-done', image, digest, ...told.counted, notes: told.notes });
    } catch (error) {
      if (!signal.aborted) this.#failed(image, error);
    }
  }

  /** What came first may have had to make way for what came last: then there is no room for all of it. */
  async lookAgain(): Promise<void> {
    const { stock } = this.#options;
    await stock.settle();
    for (const one of this.#complete.splice(0)) {
      const { item, digests } = one;
      const here = await Promise.all(digests.map((digest) => stock.has(item.repository, digest)));
      const left = here.filter((is) => !is).length;
      if (left === 0) {
        this.#complete.push(one);
        continue;
      }
      const limits = stock.limits(item.repository).join(' or ');
      const reason = `${left} of ${digests.length} blobs have left again to make room: ${limits} is too small for all that was asked for`;
      this.#failed(nameOf(item), new RegistryError('STORAGE_UNAVAILABLE', reason));
    }
  }

  async #whole({ repository, at }: Item, told: Telling) {
    const { stock } = this.#options;
    const { notes } = told;
    let root = await this.#root({ repository, at }, notes);
    for (let attempt = 1; ; attempt += 1) {
      const parts = await partsOf(stock, repository, root, this.#options);
      notes.push(...parts.notes);
      await this.#deliveries.bring(repository, parts, told);
      for (const tag of parts.tags) await stock.tag(repository, tag);
      const { digest } = root.descriptor;
      const digests = [...parts.manifests.map(({ descriptor }) => descriptor), ...parts.blobs]
        .map((one) => one.digest)
        .filter((one) => !this.#deliveries.leftOut.has(one));
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

function nameOf({ repository, at }: Item): string {
  return formatReference(repository, at);
}

function warnings(served: Served | undefined): readonly string[] {
  if (served?.result !== 'stale') return [];
  const why = served.detail ?? 'unreachable';
  return [served.warning ?? `the upstream could not be asked (${why}): this is what was known`];
}
