import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { EvictionReason } from '../store/budget/evictor.ts';
import type { MirrorEvent } from '../mirror/event.ts';

/** Bytes and counts; `undefined` is left out of the answer. */
export interface StorageFigures {
  readonly usedBytes: number;
  readonly objects: number;
  /** Of downloads: promised to those that run, left behind by others. */
  readonly partialBytes: number;
  /** Of the store: never evicted. */
  readonly keptBytes: number;
  readonly limitBytes: number | undefined;
  /** What is to stay free on that file system. */
  readonly minFreeBytes: number;
  /** Of the file system that holds the store. */
  readonly availableBytes: number | undefined;
  readonly capacityBytes: number | undefined;
}

export interface Eviction {
  readonly bytes: number;
  /** Seconds since anybody asked for it. */
  readonly age: number;
  readonly reason: EvictionReason;
}

export interface StorageMetrics {
  mirror(event: MirrorEvent): void;
  evicted(eviction: Eviction): void;
  /** So many bytes went through without being stored. */
  refused(bytes: number): void;
  /** Looks at the store, before each scrape. */
  refresh(): Promise<void>;
}

/** What may fail: there from the start, so that the first failure is seen as an increase. */
const OPERATIONS = ['ingest', 'write', 'commit', 'layout', 'verify', 'link', 'record', 'figures'];
const DAMAGES = ['size', 'digest'] as const;

const OPERATION_BUCKETS = [0.001, 0.005, 0.02, 0.1, 0.5, 2, 10, 60];

/** The store: how full it is, what left it, what went wrong with it. */
export function storageMetrics(
  registry: Registry,
  figures: () => Promise<StorageFigures>,
): StorageMetrics {
  const registers = [registry];
  const show = figureMetrics(registry);
  const errors = new Counter({
    name: 'layover_storage_errors_total',
    help: 'Things that could not be stored or read; clients were served all the same.',
    labelNames: ['operation'],
    registers,
  });
  const operations = new Histogram({
    name: 'layover_storage_operation_duration_seconds',
    help: 'What the disk takes; commit: until content is safe and visible, which no client waits for.',
    labelNames: ['operation'],
    buckets: OPERATION_BUCKETS,
    registers,
  });
  const damaged = new Counter({
    name: 'layover_integrity_failures_total',
    help: 'Stored content found wrong and set aside.',
    labelNames: ['reason'],
    registers,
  });
  for (const operation of OPERATIONS) errors.inc({ operation }, 0);
  for (const reason of DAMAGES) damaged.inc({ reason }, 0);
  const evictions = new Counter({
    name: 'layover_evictions_total',
    help: 'Blobs removed to make room.',
    labelNames: ['reason'],
    registers,
  });
  const evictedBytes = new Counter({
    name: 'layover_evicted_bytes_total',
    help: 'Bytes removed to make room.',
    labelNames: ['reason'],
    registers,
  });
  const refused = new Counter({
    name: 'layover_storage_refused_total',
    help: 'Content for which no room could be made: served all the same, and not stored.',
    registers,
  });
  const refusedBytes = new Counter({
    name: 'layover_storage_refused_bytes_total',
    help: 'Bytes for which no room could be made.',
    registers,
  });
  const age = new Gauge({
    name: 'layover_eviction_oldest_access_age_seconds',
    help: 'How long nobody had read what was removed last: when short, the store is too small.',
    registers,
  });
  return {
    mirror: (event) => {
      if (event.type === 'storage-error') errors.inc({ operation: event.operation });
      if (event.type === 'storage-operation') {
        operations.observe({ operation: event.operation }, event.seconds);
      }
      if (event.type === 'damaged') damaged.inc({ reason: event.reason });
    },
    evicted: (eviction) => {
      evictions.inc({ reason: eviction.reason });
      evictedBytes.inc({ reason: eviction.reason }, eviction.bytes);
      age.set(eviction.age);
    },
    refused: (bytes) => {
      refused.inc();
      refusedBytes.inc(bytes);
    },
    refresh: async () => {
      try {
        show(await figures());
      } catch {
        // A store that is out of reach is when the other figures matter most.
        errors.inc({ operation: 'figures' });
        show(undefined);
      }
    },
  };
}

function figureMetrics(registry: Registry): (figures: StorageFigures | undefined) => void {
  const gauge = (name: string, help: string) => {
    const made = new Gauge({ name: `layover_storage_${name}`, help, registers: [registry] });
    return (value: number | undefined): void => {
      if (value === undefined) made.remove();
      else made.set(value);
    };
  };
  const used = gauge('used_bytes', 'What the blobs in the store take.');
  const objects = gauge('objects', 'Blobs in the store.');
  const partial = gauge(
    'partial_bytes',
    'What downloads and pushes take or will: under way, or left behind.',
  );
  const kept = gauge('kept_bytes', 'What of the blobs is never evicted.');
  const limit = gauge('limit_bytes', 'What blobs and downloads may take together.');
  const least = gauge('min_free_bytes', 'What is to stay free on the file system of the store.');
  const available = gauge('fs_available_bytes', 'Free on the file system of the store.');
  const capacity = gauge('fs_size_bytes', 'The size of the file system of the store.');
  return (figures) => {
    used(figures?.usedBytes);
    objects(figures?.objects);
    partial(figures?.partialBytes);
    kept(figures?.keptBytes);
    limit(figures?.limitBytes);
    least(figures?.minFreeBytes);
    available(figures?.availableBytes);
    capacity(figures?.capacityBytes);
  };
}
