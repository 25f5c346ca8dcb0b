import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import type { Config, ServerTls } from '../config/config.ts';
import { nameForVia } from '../core/via.ts';
import type { HostedRepositories } from '../hosted/repositories.ts';
import { createApp, type Serving } from '../http/app.ts';
import { createMetrics } from '../http/metrics.ts';
import { startServer, type Tls } from '../http/server.ts';
import type { MirrorEvent } from '../mirror/event.ts';
import { mirror, type Mirror } from '../mirror/mirror.ts';
import type { TagPolicy } from '../mirror/policy.ts';
import { createRouter } from '../mirror/route.ts';
import { administrationOf } from './administration.ts';
import { startAdminServer } from './admin-server.ts';
import { createCatalog } from './catalog.ts';
import { openHosted } from './hosted.ts';
import { openLog } from './log.ts';
import { housekeepingOf } from './housekeeping.ts';
import { openStore } from './store.ts';
import { openUpstreams } from './upstreams.ts';

export interface ServeOptions {
  readonly config: Config;
  /** The file it came from, for the log. */
  readonly file: string | undefined;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly version: string;
}

/** Serves until SIGTERM or SIGINT, then lets running downloads and responses finish for `drain`. */
export async function serve(options: ServeOptions): Promise<void> {
  const { config, environment, version } = options;
  const log = openLog(config.log.level);
  const metrics = createMetrics({
    version,
    upstreams: new Set(config.upstreams.keys()),
    storage: async () => ({
      ...(await store.housekeeping.figures()),
      limitBytes: config.storage.maxSize,
    }),
  });
  const observe = (event: MirrorEvent): void => {
    log.mirror(event);
    metrics.mirror(event);
  };
  await using admin = await startAdminServer(config.admin.listen, (error, message) =>
    log.logger.error({ error: error.message }, message),
  );
  // Housekeeping begins with the store, before there is anybody who has to know of it.
  let forget: Mirror['forget'] | undefined;
  let residents: HostedRepositories | undefined;
  await using store = await openStore({
    path: config.storage.path,
    verifyRate: () => config.storage.verifyRate,
    admin: admin.address,
    observe,
    housekeeping: housekeepingOf(() => config, {
      observe: (event) => {
        log.housekeeping(event);
        metrics.housekeeping(event);
        if (event.type === 'evicted') forget?.(event.digest);
      },
      exclusively: (digest, task) =>
        residents === undefined ? task() : residents.exclusively(digest, task),
    }),
  });
  const via = nameForVia();
  await using upstreams = await openUpstreams(config, environment, {
    via,
    observe: (event) => {
      log.upstream(event);
      metrics.upstream(event);
    },
  });
  const source = mirror({
    ...store,
    store: store.content,
    upstream: upstreams.of,
    policy: policies(config),
    downloads: () => config.downloads,
    observe: (event) => {
      observe(event);
      const wrong = event.type === 'download-ended' && event.result === 'mismatch';
      if (wrong) upstreams.distrust(event.host, event.digest);
    },
  });
  await using hosted = openHosted(
    () => config,
    store,
    (event) => log.hosted(event),
  );
  [forget, residents] = [(digest) => source.forget(digest), hosted.repositories];
  const serving: Serving = {
    source,
    ...(config.hosted.length > 0 && { hosted: hosted.repositories }),
    router: createRouter({
      upstreams: [...config.upstreams.values()],
      defaultUpstream: config.defaultUpstream,
      hosted: config.hosted,
    }),
    catalog: createCatalog({ paths: store.paths, edition: hosted.written }),
    whenRateLimited: config.whenRateLimited,
  };
  const app = createApp({
    serving: () => serving,
    ready: () => store.ready(),
    known: () => ({
      version,
      defaultUpstream: config.defaultUpstream,
      upstreams: [...config.upstreams.values()].map(({ host, aliases }) => ({ host, aliases })),
    }),
    via,
    metrics,
    log: (record) => log.request(record),
  });
  admin.open(administrationOf(store, hosted));
  const tls = await tlsOf(config.tls);
  const { host = '::', port } = config.listen;
  const server = await startServer({ app, listen: { host, port }, ...(tls && { tls }) });
  const where = { address: server.address, port: server.port, tls: tls !== undefined };
  log.logger.info(
    {
      version,
      pid: process.pid,
      ...where,
      admin: admin.address,
      storage: store.paths.root,
      config: options.file,
      upstreams: [...config.upstreams.keys()],
      hosted: config.hosted.map(({ text }) => text),
      offline: config.offline,
    },
    'serving',
  );
  log.flush();

  const signal = await signalled();
  log.logger.info({ signal, drain: config.drain }, 'draining');
  const [{ cut }] = await Promise.all([server.close(config.drain), source.close(config.drain)]);
  log.logger.info({ cut }, 'stopped');
  log.flush();
}

/** The first signal asks to end; a second one does not wait for anything. */
async function signalled(): Promise<string> {
  const signals = ['SIGTERM', 'SIGINT'] as const;
  const signal = await Promise.race(
    signals.map(async (name) => {
      await once(process, name);
      return name;
    }),
  );
  for (const name of signals) process.once(name, () => process.exit(1));
  return signal;
}

function policies({ upstreams, offline, tags }: Config): (host: string) => TagPolicy {
  return (host) => {
    const policy = upstreams.get(host)?.tags ?? tags;
    // Nobody is asked, so nothing gets stale.
    return offline ? { ...policy, freshFor: Infinity } : policy;
  };
}

async function tlsOf(tls: ServerTls | undefined): Promise<Tls | undefined> {
  if (tls === undefined) return undefined;
  const { cert, key, clientCa } = tls;
  return {
    cert: await readFile(cert),
    key: await readFile(key),
    ...(clientCa !== undefined && { clientCa: await readFile(clientCa) }),
  };
}
