import type { Logger } from 'pino';
import type { Config } from '../config/config.ts';
import type { Administration } from '../http/admin/administration.ts';
import type { Metrics } from '../http/metrics.ts';
import { Prefetcher } from '../image/prefetch/prefetcher.ts';
import type { Mirror } from '../mirror/mirror.ts';
import type { Router } from '../mirror/route.ts';
import type { OpenStore } from './store.ts';
import { named } from './patterns.ts';
import { prefetchLog } from './prefetch-log.ts';
import { Scheduled } from './schedule.ts';
import { lookAt, stockOf } from './stock.ts';
import type { Worlds } from './worlds.ts';

export interface PrefetchingOptions {
  readonly source: Mirror;
  readonly store: OpenStore;
  readonly worlds: Worlds;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly logger: Logger;
  readonly metrics: Pick<Metrics, 'prefetch'>;
}

/** What a server fetches before anybody asks for it. Disposed, it ends what is under way. */
export interface Prefetching extends AsyncDisposable {
  readonly prefetch: Administration['prefetch'];
  /** A cached tag means something else now. */
  readonly moved: Scheduled['moved'];
  /** What is scheduled from now on is what the configuration says. */
  follow(config: Config): void;
}

/** Nothing is scheduled before the first `follow`. */
export function openPrefetching(options: PrefetchingOptions): Prefetching {
  const { source, store, worlds, environment, logger, metrics } = options;
  const { content, housekeeping } = store;
  const router = (): Router => worlds.now.serving.router;
  const wiring = { mirror: source, store: content, router, housekeeping };
  const stock = stockOf(wiring);
  const prefetcher = new Prefetcher({
    stock,
    look: () => lookAt({ ...wiring, upstream: (host) => worlds.now.upstreams.of(host) }),
    observe: prefetchLog(logger, metrics),
  });
  const scheduled = new Scheduled({
    prefetcher,
    environment,
    file: store.paths.prefetch,
    route: (repository) => stock.route(repository),
    onError: (error) => logger.error({ error: error.message }, 'scheduled prefetch'),
    onUnusable: ({ image, reason }) => logger.warn({ image, error: reason }, 'prefetch failed'),
  });
  return {
    prefetch: (query, run) => prefetcher.run(named(worlds.config, query), run, 'request'),
    moved: scheduled.moved,
    // While nobody can be asked there is nothing to fetch.
    follow: (config) => {
      const { offline, prefetch } = config;
      scheduled.set(offline ? [] : prefetch.map((entry) => named(config, entry)));
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.all([scheduled[Symbol.asyncDispose](), prefetcher.close()]);
    },
  };
}
