import { openStore } from '../compose/store.ts';
import type { Source } from '../core/source.ts';
import type { MirrorEvent } from '../mirror/event.ts';
import { mirror, type Mirror } from '../mirror/mirror.ts';
import type { TagPolicy } from '../mirror/policy.ts';
import type { HousekeepingEvent } from '../store/budget/event.ts';
import type { Rules } from '../store/budget/options.ts';

export type { HousekeepingEvent } from '../store/budget/event.ts';
export type { MirrorEvent } from '../mirror/event.ts';
export type { TagPolicy } from '../mirror/policy.ts';

export interface MirrorOptions {
  /** The store's folder; made if it is not there. */
  readonly folder: string;
  /** Who has the content of a registry. @throws RegistryError NAME_UNKNOWN for one that is not served */
  readonly upstream: (host: string) => Source;
  /** Bytes of content that are kept, the least recently used goes first; without a limit if left out. */
  readonly maxSize?: number;
  /** What differs from: fresh for a minute, stale when the upstream cannot be asked. */
  readonly tags?: Partial<TagPolicy>;
  readonly observe?: (event: MirrorEvent | HousekeepingEvent) => void;
}

/** Disposing ends downloads that run for more than a second, settles what is being written and frees the store. */
export interface OpenMirror extends AsyncDisposable {
  /** Fetches what it lacks once, verified, and gives it to everybody from then on. */
  readonly source: Source;
}

const TAGS: TagPolicy = {
  freshFor: 60_000,
  revalidateWithin: 2_000,
  whenUnreachable: 'serve-stale',
  whenDeleted: 'keep',
  notFoundFor: 10_000,
};
/** Milliseconds: whoever has read the last byte may dispose before the disk has it. */
const DRAIN = 1_000;
const DOWNLOADS = { abandonAfter: 600_000, retries: 5 };

/**
 * `layover/mirror`: what `layover serve` answers from, without the server. The upstreams stay open when
 * it is disposed.
 * @throws RegistryError STORAGE_UNAVAILABLE when another process has the store
 */
export async function openMirror(options: MirrorOptions): Promise<OpenMirror> {
  const { folder, upstream, maxSize = Number.MAX_SAFE_INTEGER, observe = () => {} } = options;
  // Housekeeping begins with the store, before there is anybody who has to know of it.
  let forget: Mirror['forget'] | undefined;
  const rules: Rules = {
    limits: { maxSize, lowWater: 0.9, minFree: 0 },
    maxAge: 0,
    shares: new Map(),
    pins: [],
    network: 'online',
  };
  const store = await openStore({
    path: folder,
    verifyRate: () => 0,
    admin: '',
    observe,
    housekeeping: {
      rules: () => rules,
      observe: (event) => {
        observe(event);
        if (event.type === 'evicted') forget?.(event.digest);
      },
    },
  });
  const policy = { ...TAGS, ...options.tags };
  const source = mirror({
    ...store,
    store: store.content,
    upstream,
    policy: () => policy,
    downloads: () => DOWNLOADS,
    observe,
  });
  forget = (digest) => source.forget(digest);
  return {
    source,
    async [Symbol.asyncDispose]() {
      try {
        await source.close(DRAIN);
      } finally {
        await store[Symbol.asyncDispose]();
      }
    },
  };
}
