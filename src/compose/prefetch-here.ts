import { readPem } from '../config/pem.ts';
import type { ReadConfig } from '../config/read.ts';
import { nameForVia } from '../core/via.ts';
import type { PrefetchSummary } from '../image/prefetch/event.ts';
import { Prefetcher, type PrefetchQuery, type PrefetchRun } from '../image/prefetch/prefetcher.ts';
import { mirror, type Mirror } from '../mirror/mirror.ts';
import { createRouter } from '../mirror/route.ts';
import { openAlone } from './alone.ts';
import { policyOf } from './derived.ts';
import { named } from './patterns.ts';
import { lookAt, stockOf } from './stock.ts';
import { UpstreamPool } from './upstreams.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** Milliseconds for which downloads may put away what they have. */
const DRAIN = 1_000;

/**
 * Fetches in this process, with the store for itself: what a server would do, without one.
 * @throws RegistryError STORAGE_UNAVAILABLE when another process has the store, and as a run does
 */
export async function prefetchHere(
  read: ReadConfig,
  environment: Environment,
  query: PrefetchQuery,
  run: PrefetchRun,
): Promise<PrefetchSummary> {
  const { config } = read;
  let forget: Mirror['forget'] | undefined;
  await using store = await openAlone(config, (event) => {
    if (event.type === 'evicted') forget?.(event.digest);
  });
  // While the store is looked through nothing can make way, and nothing new finds room.
  await store.housekeeping.looked();
  const pem = await readPem(read, environment);
  await using pool = new UpstreamPool({ environment, via: nameForVia(), observe: () => {} });
  const prepared = pool.prepare(config, pem);
  prepared.enter(async () => {});
  const { upstreams } = prepared;
  const source = mirror({
    ...store,
    store: store.content,
    upstream: upstreams.of,
    policy: (host) => policyOf(config, host),
    downloads: () => config.downloads,
    observe: (event) => {
      const wrong = event.type === 'download-ended' && event.result === 'mismatch';
      if (wrong) upstreams.distrust(event.host, event.digest);
    },
  });
  forget = (digest) => source.forget(digest);
  const router = createRouter({ ...config, upstreams: [...config.upstreams.values()] });
  const { content, housekeeping } = store;
  const wiring = { mirror: source, store: content, router: () => router, housekeeping };
  const prefetcher = new Prefetcher({
    stock: stockOf(wiring),
    look: () => lookAt({ ...wiring, upstream: upstreams.of }),
  });
  try {
    return await prefetcher.run(named(config, query), run, 'request');
  } finally {
    await source.close(DRAIN);
  }
}
