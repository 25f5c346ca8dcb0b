import { collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import type { ImportEvent } from '../image/bundle/event.ts';
import type { PrefetchRunEvent } from '../image/prefetch/prefetcher.ts';
import type { MirrorEvent } from '../mirror/event.ts';
import type { HousekeepingEvent } from '../store/budget/event.ts';
import type { UpstreamEvent } from '../upstream/event.ts';
import { clientMetrics } from './metrics-clients.ts';
import { configMetrics, type ReloadOutcome } from './metrics-config.ts';
import { importMetrics } from './metrics-imports.ts';
import { mirrorMetrics } from './metrics-mirror.ts';
import { prefetchMetrics } from './metrics-prefetch.ts';
import { storageMetrics, type StorageFigures } from './metrics-storage.ts';
import { tlsMetrics } from './metrics-tls.ts';
import { upstreamMetrics } from './metrics-upstreams.ts';
import type { Observer } from './observe.ts';

export interface MetricsOptions {
  readonly version: string;
  /** The source revision, if it is known. */
  readonly revision?: string;
  /** The names that were ever configured: nothing else ever becomes a value of the label `upstream`. */
  readonly upstreams: Pick<ReadonlySet<string>, 'has' | 'keys'>;
  /** Asked at each scrape. */
  readonly storage: () => Promise<StorageFigures>;
}

/** What Prometheus is told. Names begin with `layover_`; labels are bounded by the configuration. */
export interface Metrics extends Observer {
  upstream(event: UpstreamEvent): void;
  mirror(event: MirrorEvent): void;
  housekeeping(event: HousekeepingEvent): void;
  prefetch(event: PrefetchRunEvent): void;
  imports(event: ImportEvent): void;
  /** Clients are shown this certificate from now on, in PEM; none: plain HTTP. */
  certificate(pem: string | Uint8Array | undefined): void;
  /** The upstream is none any more, or another one: what was true of it says nothing now. */
  forget(upstream: string): void;
  /** The configuration was read again. */
  reloaded(outcome: ReloadOutcome): void;
  /** The Content-Type of what `render` gives. */
  readonly contentType: string;
  render(): Promise<string>;
}

/** A registry of its own, so that any number can live in one process. */
export function createMetrics(options: MetricsOptions): Metrics {
  const registry = new Registry();
  const isKnown = (upstream: string): boolean => options.upstreams.has(upstream);
  const toStorage = storageMetrics(registry, options.storage);
  const fromMirror = mirrorMetrics(registry, isKnown);
  const { expect, ...fromUpstreams } = upstreamMetrics(registry, isKnown);
  collectDefaultMetrics({ register: registry });
  new Gauge({
    name: 'layover_build_info',
    help: 'Always 1; the labels say what runs.',
    labelNames: ['version', 'revision', 'node'],
    registers: [registry],
  }).set({ version: options.version, revision: options.revision ?? '', node: process.version }, 1);
  return {
    ...clientMetrics(registry, isKnown),
    ...fromUpstreams,
    reloaded: configMetrics(registry),
    prefetch: prefetchMetrics(registry),
    imports: importMetrics(registry),
    certificate: tlsMetrics(registry),
    mirror: (event) => {
      fromMirror.mirror(event);
      toStorage.mirror(event);
    },
    housekeeping: (event) => {
      if (event.type === 'no-room') toStorage.refused(event.bytes);
      if (event.type !== 'evicted') return;
      const { size, age, reason } = event;
      toStorage.evicted({ bytes: size, age: age / 1000, reason });
    },
    contentType: registry.contentType,
    render: async () => {
      for (const upstream of options.upstreams.keys()) {
        expect(upstream);
        fromMirror.expect(upstream);
      }
      await toStorage.refresh();
      return registry.metrics();
    },
  };
}
