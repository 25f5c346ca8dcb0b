import { lookAt, stockOf } from '../../../src/compose/stock.ts';
import { parsePlatform } from '../../../src/core/platform.ts';
import type { PrefetchEvent } from '../../../src/image/prefetch/event.ts';
import { prefetch, type PrefetchOptions } from '../../../src/image/prefetch/prefetch.ts';
import { createRouter } from '../../../src/mirror/route.ts';
import { upstream } from '../../../src/upstream/upstream.ts';
import { world, type WorldOptions } from '../../fixtures/mirror-world.ts';

export interface Fetching extends Partial<Omit<PrefetchOptions, 'platforms'>> {
  readonly platforms?: readonly string[] | 'all';
  readonly dry?: true;
}

/** A mirror that is filled from a registry that does as it is told. */
export async function filling(options: WorldOptions = {}) {
  const place = await world(options);
  const router = createRouter({
    upstreams: [
      { host: 'docker.io', aliases: [] },
      { host: 'other.example', aliases: ['also.example'] },
    ],
    defaultUpstream: undefined,
  });
  const direct = upstream({
    host: 'docker.io',
    url: place.registry.url,
    mirrors: [],
    allowPrivate: ['127.0.0.0/8'],
    maxConnections: 16,
    retries: 0,
    timeouts: { connect: 5_000, headers: 5_000, idle: 5_000 },
  });
  const events: PrefetchEvent[] = [];
  const fetch = (images: readonly string[], { dry, platforms = [], ...more }: Fetching = {}) => {
    const { mirror, store, housekeeping } = place;
    const both = { mirror, store, router: () => router, housekeeping };
    return prefetch({
      images,
      platforms: platforms === 'all' ? platforms : platforms.map(parsePlatform),
      referrers: 'left-out',
      maxTags: 10,
      stock: dry === undefined ? stockOf(both) : lookAt({ ...both, upstream: () => direct }),
      signal: new AbortController().signal,
      observe: (event) => events.push(event),
      ...more,
    });
  };
  return {
    ...place,
    get mirror() {
      return place.mirror;
    },
    get store() {
      return place.store;
    },
    get tags() {
      return place.tags;
    },
    restart: () => place.restart(),
    events,
    fetch,
    async [Symbol.asyncDispose]() {
      await direct[Symbol.asyncDispose]();
      await place[Symbol.asyncDispose]();
    },
  };
}
