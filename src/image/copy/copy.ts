import type { Descriptor } from '../../core/descriptor.ts';
import type { Digest } from '../../core/digest.ts';
import type { Platform } from '../../core/platform.ts';
import type { Manifest } from '../../core/manifest.ts';
import { formatReference, type Repository, type Tag } from '../../core/reference.ts';
import type { Sink } from '../../core/sink.ts';
import type { Source } from '../../core/source.ts';
import { Carrier, type ForeignLayers } from './carrier.ts';
import type { Observe } from './event.ts';
import { together } from './limit.ts';
import { plan, type Plan, type Selection } from './plan.ts';
import { interrupted } from './reading.ts';
import { Tally, type Summary } from './summary.ts';

/** An image, what it is called where it is, and what where it goes. */
export interface Passage {
  readonly source: Source;
  readonly repository: Repository;
  readonly at: Tag | Digest;
  readonly to: { readonly repository: Repository; readonly at: Tag | Digest };
}

export interface CopyOptions {
  /** Named in this order. */
  readonly images: readonly Passage[];
  readonly sink: Sink;
  readonly selection: Selection;
  /** Signatures and other referrers of what is copied; left out if not said. */
  readonly referrers?: 'left-out' | 'copied';
  readonly foreign?: ForeignLayers;
  /** Told of each image once it is chosen, before anything else of it is fetched: may throw. */
  readonly check?: ((manifest: Manifest, name: string) => void) | undefined;
  /** Blobs at a time; 4 if left out. */
  readonly parallel?: number;
  readonly signal?: AbortSignal | undefined;
  readonly observe?: Observe | undefined;
}

export interface Copied extends Summary {
  /** What was written for each image, in their order. */
  readonly images: readonly CopiedImage[];
}

export interface CopiedImage {
  readonly descriptor: Descriptor;
  readonly platform?: Platform;
}

/**
 * Copies images, byte for byte. Blobs come before the manifests that list them, manifests before
 * their indexes, and names last; whatever images share is brought once. The first failure ends
 * everything else: when this has settled nothing is running any more. Trying again is up to the
 * source and the sink.
 * @throws RegistryError the first failure; INTERRUPTED when the signal ended it
 */
export async function copy(options: CopyOptions): Promise<Copied> {
  const { images, sink, foreign = 'left-out', parallel = 4 } = options;
  const tally = new Tally();
  const observe = tally.observing(options.observe);
  using ending = linked(options.signal);
  const { signal } = ending;
  const carrier = new Carrier({ sink, parallel, foreign, signal, observe });
  const plans: Plan[] = [];
  for (const [image, passage] of images.entries()) {
    if (signal.aborted) throw interrupted(signal);
    const planned = await planOf(passage, options);
    options.check?.(planned.chosen, formatReference(passage.repository, passage.at));
    observe({ type: 'image-chosen', image, ...chosen(planned), blobs: blobsOf(planned) });
    plans.push(planned);
  }
  let before: Promise<unknown> = Promise.resolve();
  const running = plans.flatMap((planned, index) => {
    const passage = images[index];
    if (passage === undefined) return [];
    // Names appear in order: an archive lists its images as they came.
    before = write({ plan: planned, passage, carrier, before, sink, observe, ending });
    return [before];
  });
  try {
    await together(running, ending.fail);
  } catch (error) {
    // What ended early because of it may have been told first.
    if (options.signal?.aborted === true) throw interrupted(options.signal);
    throw ending.failure ?? error;
  }
  return { ...tally.summary, images: plans.map(chosen) };
}

/** The end of a run: somebody's wish, or the first failure. */
interface Ending extends Disposable {
  readonly signal: AbortSignal;
  readonly fail: (error: unknown) => void;
  readonly failure: unknown;
}

function linked(signal: AbortSignal | undefined): Ending {
  const controller = new AbortController();
  let failure: unknown;
  const end = (): void => {
    controller.abort(signal?.reason);
  };
  if (signal?.aborted === true) end();
  signal?.addEventListener('abort', end, { once: true });
  return {
    signal: controller.signal,
    fail: (error) => {
      failure ??= error;
      controller.abort(error);
    },
    get failure() {
      return failure;
    },
    [Symbol.dispose]: () => signal?.removeEventListener('abort', end),
  };
}

function planOf({ source, repository, at, to }: Passage, options: CopyOptions): Promise<Plan> {
  const { selection, referrers = 'left-out' } = options;
  return plan({ source, repository, at, name: to.at, selection, referrers });
}

interface Write {
  readonly plan: Plan;
  readonly passage: Passage;
  readonly carrier: Carrier;
  readonly before: Promise<unknown>;
  readonly sink: Sink;
  readonly observe: Observe;
  readonly ending: Ending;
}

async function write(options: Write): Promise<void> {
  const { plan, passage, carrier, before, sink, observe, ending } = options;
  const { source, repository, to } = passage;
  const loads = plan.manifests.flatMap(({ blobs }) => blobs);
  const brought = loads.map((descriptor) =>
    carrier.bring({ source, from: repository, to: to.repository, descriptor }),
  );
  await together([...brought, before.then(() => {})], ending.fail);
  for (const { manifest, at } of plan.manifests) {
    if (ending.signal.aborted) throw interrupted(ending.signal);
    await sink.manifest(to.repository, at, manifest);
    const { descriptor } = manifest;
    observe({ type: 'manifest-done', repository: to.repository, at, descriptor });
  }
}

function chosen({ chosen, platform }: Plan): CopiedImage {
  return { descriptor: chosen.descriptor, ...(platform && { platform }) };
}

function blobsOf({ manifests }: Plan): readonly Descriptor[] {
  const blobs = manifests.flatMap(({ blobs }) => blobs);
  return [...new Map(blobs.map((blob) => [blob.digest, blob])).values()];
}
