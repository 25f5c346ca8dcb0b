import { LRUCache } from 'lru-cache';
import { RegistryError } from '../core/errors.ts';
import type { Manifest } from '../core/manifest.ts';
import { formatReference, type Repository } from '../core/reference.ts';
import type { Source } from '../core/source.ts';
import type { Stock } from '../image/prefetch/stock.ts';
import type { Mirror } from '../mirror/mirror.ts';
import type { Router } from '../mirror/route.ts';
import type { Housekeeping } from '../store/budget/housekeeping.ts';
import type { ContentStore } from '../store/store.ts';

export interface StockOptions {
  readonly mirror: Mirror;
  readonly store: Pick<ContentStore, 'size'>;
  readonly router: () => Router;
  readonly housekeeping: Pick<Housekeeping, 'looked' | 'shares'>;
}

/** The mirror, to be filled: what it is asked for it stores, by the rules that hold for clients. */
export function stockOf({ mirror, store, router, housekeeping }: StockOptions): Stock {
  const { keeping } = mirror;
  return {
    route: routed(router),
    resolve: (repository, tag) => keeping.resolve(repository, tag),
    tags: (repository) => mirror.tags(repository),
    referrers: (repository, digest) => mirror.referrers(repository, digest),
    manifest: (repository, digest) => keeping.manifest(repository, digest),
    tag: (repository, tag) => keeping.tag(repository, tag),
    bring: (repository, blob, options) => keeping.blob(repository, blob, options),
    blob: (repository, digest) => mirror.blob(repository, digest),
    settle: async () => {
      await housekeeping.looked();
      await housekeeping.shares.keep();
    },
    has: async (_repository, digest) => (await store.size(digest)) !== undefined,
    limits: ({ host }) =>
      housekeeping.shares.has(host)
        ? [`upstreams.${host}.maxSize`, 'storage.maxSize']
        : ['storage.maxSize'],
  };
}

/** Bytes of manifests that a look remembers, so that none is asked for twice. */
const REMEMBERED = 64 * 1024 * 1024;

export interface LookOptions extends StockOptions {
  readonly upstream: (host: string) => Source;
}

/**
 * What filling the mirror would bring. Manifests that it lacks come from the upstream and are not kept;
 * blobs are not asked for, but for configurations that have to tell the platform.
 */
export function lookAt({ mirror, store, router, upstream }: LookOptions): Stock {
  const { keeping } = mirror;
  const seen = new LRUCache<string, Manifest>({
    maxSize: REMEMBERED,
    sizeCalculation: ({ bytes }) => bytes.length + 500,
  });
  /** While offline the mirror says what it knows, and changes nothing by that. */
  const either = async <T>(ask: (from: (repository: Repository) => Source) => Promise<T>) => {
    try {
      return await ask(({ host }) => upstream(host));
    } catch (error) {
      if (!(error instanceof RegistryError) || error.code !== 'OFFLINE') throw error;
      return ask(() => mirror);
    }
  };
  const stock: Stock = {
    route: routed(router),
    resolve: (repository, tag) => either((from) => from(repository).resolve(repository, tag)),
    tags: (repository) => either((from) => from(repository).tags(repository)),
    referrers: (repository, digest) =>
      either((from) => from(repository).referrers(repository, digest)),
    manifest: async (repository, digest) => {
      const held = await keeping.held(repository, digest);
      if (held !== undefined && (await store.size(digest)) !== undefined) {
        return { ...held, served: { result: 'hit' } };
      }
      const key = formatReference(repository, digest);
      const known = seen.get(key);
      if (known !== undefined) return known;
      const { descriptor, bytes } = await upstream(repository.host).manifest(repository, digest);
      const manifest: Manifest = { descriptor, bytes, served: { result: 'miss' } };
      seen.set(key, manifest);
      return manifest;
    },
    tag: async (repository, tag) => {
      const { descriptor } = await stock.resolve(repository, tag);
      return stock.manifest(repository, descriptor.digest);
    },
    bring: async (_repository, { digest, size }, { signal }) => {
      if (signal.aborted) throw new RegistryError('INTERRUPTED', 'interrupted');
      const held = (await store.size(digest)) !== undefined;
      return held ? { how: 'held', bytes: 0 } : { how: 'fetched', bytes: size };
    },
    blob: (repository, digest) => upstream(repository.host).blob(repository, digest),
    settle: async () => {},
    has: async () => true,
    limits: () => [],
  };
  return stock;
}

/** As a client's `ns` says it: what lives here is never meant. */
function routed(router: () => Router): (repository: Repository) => Repository {
  return ({ host, path }) => router().repository({ name: path, ns: [host] });
}
