import { createApp, type AppOptions, type MirrorApp, type Serving } from '../../src/http/app.ts';
import { createMetrics, type Metrics } from '../../src/http/metrics.ts';
import type { RequestRecord } from '../../src/http/observe.ts';
import { startServer, type RunningServer, type Tls } from '../../src/http/server.ts';
import { createRouter } from '../../src/mirror/route.ts';
import { MemorySource } from '../fixtures/memory-source.ts';

export interface Served extends AsyncDisposable {
  readonly source: MemorySource;
  readonly app: MirrorApp;
  readonly server: RunningServer;
  readonly metrics: Metrics;
  readonly url: string;
  /** The log, oldest first. */
  readonly records: readonly RequestRecord[];
  /** The log once it holds that many records: a record is written after its client has the answer. */
  recorded(count: number): Promise<readonly RequestRecord[]>;
}

/** The whole HTTP face on a free port of loopback, over a source in memory. */
export async function serve(
  options: Partial<AppOptions & Serving> = {},
  tls?: Tls,
): Promise<Served> {
  const source = new MemorySource();
  const upstreams = [
    { host: 'docker.io', aliases: [] },
    { host: 'quay.io', aliases: ['q'] },
  ];
  const metrics = createMetrics({
    version: '1.2.3',
    upstreams: new Set(upstreams.map(({ host }) => host)),
    storage: async () => ({
      usedBytes: 7,
      objects: 2,
      partialBytes: 3,
      keptBytes: 4,
      limitBytes: 100,
      minFreeBytes: 5,
      availableBytes: 50,
      capacityBytes: undefined,
    }),
  });
  const records: RequestRecord[] = [];
  const waiting = new Set<() => void>();
  const serving: Serving = {
    source,
    router: createRouter({ upstreams, defaultUpstream: 'docker.io' }),
    catalog: async (upstream) => (upstream === undefined ? ['docker.io/a', 'quay.io/b'] : ['b']),
    whenRateLimited: 429,
    ...options,
  };
  const app = createApp({
    serving: () => serving,
    ready: async () => undefined,
    metrics,
    log: (record) => {
      records.push(record);
      for (const wake of waiting) wake();
    },
    ...options,
  });
  const server = await startServer({
    app,
    listen: { host: '127.0.0.1', port: 0 },
    ...(tls !== undefined && { tls }),
  });
  return {
    source,
    app,
    server,
    metrics,
    records,
    url: `${tls === undefined ? 'http' : 'https'}://localhost:${server.port}`.replace(
      'localhost',
      '127.0.0.1',
    ),
    recorded: (count) =>
      new Promise((resolve) => {
        const check = (): void => {
          if (records.length < count) return;
          waiting.delete(check);
          resolve(records);
        };
        waiting.add(check);
        check();
      }),
    [Symbol.asyncDispose]: async () => {
      await server.close(0);
    },
  };
}
