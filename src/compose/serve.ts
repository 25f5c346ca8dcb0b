import { readPem } from '../config/pem.ts';
import { readConfig, type Request } from '../config/read.ts';
import { prepareHashing } from '../core/hashing.ts';
import { nameForVia } from '../core/via.ts';
import type { HostedRepositories } from '../hosted/repositories.ts';
import { createApp } from '../http/app.ts';
import { createMetrics } from '../http/metrics.ts';
import { startServer, type RunningServer } from '../http/server.ts';
import type { MirrorEvent } from '../mirror/event.ts';
import { mirror, type Mirror } from '../mirror/mirror.ts';
import { administrationOf } from './administration.ts';
import { startAdminServer } from './admin-server.ts';
import { unlistenable } from './unlistenable.ts';
import { createCatalog } from './catalog.ts';
import { policyOf } from './derived.ts';
import { openHosted } from './hosted.ts';
import { openLog } from './log.ts';
import { housekeepingOf } from './housekeeping.ts';
import { importLog } from './import-log.ts';
import { Importer } from './importer.ts';
import { mountableBy } from './mountable.ts';
import { openPrefetching, type Prefetching } from './prefetching.ts';
import { provision, type Provisions } from './provisions.ts';
import { openStore } from './store.ts';
import { reloadLog } from './reload-log.ts';
import { Reloads } from './reloads.ts';
import { reloading } from './reloading.ts';
import { ending, Hangups, untilEnded } from './signals.ts';
import { Succession } from './succession.ts';
import { UpstreamPool } from './upstreams.ts';
import { Worlds } from './worlds.ts';

export interface ServeOptions {
  /** Where the configuration comes from, at the start and at each reload. */
  readonly request: Request;
  readonly version: string;
  /** What is put into the store before anybody is served. */
  readonly provisions?: Provisions;
  /** It listens, at this port. */
  readonly onServing?: (port: number) => void;
}

/**
 * Serves until SIGTERM or SIGINT, then lets running downloads and responses finish for `drain`. The
 * configuration is reloaded on SIGHUP, and when its files change.
 * @throws ConfigError with every fault of the configuration
 */
export async function serve(options: ServeOptions): Promise<void> {
  const { request, version } = options;
  using hangups = new Hangups();
  const read = await readConfig(request);
  const pem = await readPem(read, request.environment);
  const { config } = read;
  const worlds = new Worlds(config);
  await using log = openLog(config.log.level);
  const known = new Set<string>();
  const metrics = createMetrics({
    version,
    upstreams: known,
    storage: async () => ({
      ...(await store.housekeeping.figures()),
      limitBytes: worlds.config.storage.maxSize,
      minFreeBytes: worlds.config.storage.minFree,
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
  let moved: Prefetching['moved'] | undefined;
  await using store = await openStore({
    path: config.storage.path,
    verifyRate: () => worlds.config.storage.verifyRate,
    admin: admin.address,
    observe,
    housekeeping: housekeepingOf(() => worlds.config, {
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
  await using pool = new UpstreamPool({
    environment: request.environment,
    via,
    onLeft: (host) => {
      metrics.forget(host);
      source.reconsider();
    },
    onClosed: (upstream) => {
      // Somebody may have asked it until now.
      source.reconsider();
      if (!worlds.config.upstreams.has(upstream)) metrics.forget(upstream);
      log.logger.info({ upstream }, 'upstream closed');
    },
    observe: (event) => {
      log.upstream(event);
      metrics.upstream(event);
    },
  });
  const source = mirror({
    ...store,
    store: store.content,
    upstream: (host) => worlds.here.upstreams.of(host),
    policy: (host) => policyOf(worlds.here.config, host),
    downloads: () => worlds.here.config.downloads,
    observe: (event) => {
      observe(event);
      const wrong = event.type === 'download-ended' && event.result === 'mismatch';
      if (wrong) worlds.here.upstreams.distrust(event.host, event.digest);
      if (event.type === 'tag-moved') moved?.(event.repository, event.tag);
    },
  });
  await using hosted = openHosted(
    () => worlds.config,
    store,
    (event) => log.hosted(event),
    mountableBy(() => worlds.config, request.environment),
  );
  [forget, residents] = [(digest) => source.forget(digest), hosted.repositories];
  const catalog = createCatalog({
    paths: store.paths,
    edition: hosted.edition,
    serves: (host) => worlds.config.upstreams.has(host),
  });
  const app = createApp({
    serving: () => worlds.now.serving,
    within: (work) => worlds.enter(work),
    ready: () => store.ready(),
    known: () => ({
      version,
      defaultUpstream: worlds.config.defaultUpstream,
      upstreams: [...worlds.config.upstreams.values()].map(({ host, aliases }) => ({
        host,
        aliases,
      })),
    }),
    via,
    metrics,
    log: (record) => log.request(record),
  });
  const succession = new Succession({
    worlds,
    pool,
    source,
    hosted: hosted.repositories,
    catalog,
    passed: () => app.passed(),
    onUpstream: (host) => void known.add(host),
    onTls: (tls) => metrics.certificate(tls?.cert),
  });
  succession.begin(config, pem);
  worlds.follow((config) => {
    log.level(config.log.level);
    prefetching.follow(config);
    store.housekeeping.hurry();
  });
  await using prefetching = openPrefetching({
    source,
    store,
    worlds,
    environment: request.environment,
    logger: log.logger,
    metrics,
  });
  moved = prefetching.moved;
  await using importer = new Importer({
    store,
    hosted: hosted.repositories,
    config: () => worlds.config,
    renew: (repository, subject) => source.renew(repository, subject),
    observe: importLog(log.logger, metrics),
  });
  admin.open({
    ...administrationOf(store, hosted),
    prefetch: prefetching.prefetch,
    import: (query, bytes) => importer.import(query, bytes),
  });
  const ended = ending();
  const end = async (signal: string, server?: RunningServer): Promise<void> => {
    const { drain } = worlds.config;
    log.logger.info({ signal, drain }, 'draining');
    await prefetching[Symbol.asyncDispose]();
    const [closed] = await Promise.all([server?.close(drain), source.close(drain)]);
    log.logger.info({ cut: closed?.cut ?? 0 }, 'stopped');
  };
  if (options.provisions !== undefined) {
    const { provisions } = options;
    const { environment } = request;
    const { prefetch } = prefetching;
    const { logger } = log;
    const asked = await untilEnded(ended, (signal) =>
      provision(provisions, { store, importer, prefetch, environment, logger, signal }),
    );
    if (asked !== undefined) return end(asked);
  }
  const { host = '::', port } = config.listen;
  const { tls } = succession;
  const server = await startServer({ app, listen: { host, port }, ...(tls && { tls }) }).catch(
    (error: unknown) => {
      throw unlistenable(error, config.listen);
    },
  );
  const where = { address: server.address, port: server.port, tls: tls !== undefined };
  log.logger.info(
    {
      version,
      pid: process.pid,
      ...where,
      admin: admin.address,
      storage: store.paths.root,
      config: read.file,
      upstreams: [...config.upstreams.keys()],
      hosted: config.hosted.map(({ text }) => text),
      offline: config.offline,
    },
    'serving',
  );
  log.flush();
  prepareHashing();
  options.onServing?.(server.port);
  prefetching.follow(config);

  const reloads = new Reloads({
    request,
    read,
    pem,
    apply: (change, pem) =>
      succession.begin(change.config, pem, (renewed) => server.secure(renewed)),
    observe: reloadLog(log.logger, metrics),
  });
  const signal = await reloading(reloads, hangups, ended, (folder, error) =>
    log.logger.warn({ folder, error: error.message }, 'cannot be watched: looked at now and then'),
  );
  await end(signal, server);
}
