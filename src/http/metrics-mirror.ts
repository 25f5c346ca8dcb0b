import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { MirrorEvent } from '../mirror/event.ts';

const DOWNLOAD_BUCKETS = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800];

/** Downloads and revalidations. */
export function mirrorMetrics(
  registry: Registry,
  isKnown: (upstream: string) => boolean,
): {
  readonly mirror: (event: MirrorEvent) => void;
  /** Counts from 0 what an alert is to see the first increase of. */
  readonly expect: (upstream: string) => void;
} {
  const registers = [registry];
  const counter = (name: string, help: string) =>
    new Counter({ name: `layover_${name}`, help, labelNames: ['upstream'], registers });
  const inFlight = new Gauge({
    name: 'layover_downloads_in_flight',
    help: 'Blobs being fetched.',
    labelNames: ['upstream'],
    registers,
  });
  const readers = new Gauge({
    name: 'layover_download_readers',
    help: 'Requests that follow a download under way.',
    labelNames: ['upstream'],
    registers,
  });
  const ended = new Counter({
    name: 'layover_downloads_total',
    help: 'Blobs fetched, by how it ended; unstored: served right, without room to keep it.',
    labelNames: ['upstream', 'result'],
    registers,
  });
  const seconds = new Histogram({
    name: 'layover_download_duration_seconds',
    help: 'From the start of a download to its end, however it ended.',
    labelNames: ['upstream'],
    buckets: DOWNLOAD_BUCKETS,
    registers,
  });
  const joined = counter('download_joins_total', 'Requests that joined a download under way.');
  const resumed = counter('download_resumes_total', 'Downloads that went on where they were cut.');
  const mismatched = counter(
    'digest_mismatch_total',
    'Downloads with content other than asked for.',
  );
  const revalidations = new Counter({
    name: 'layover_revalidations_total',
    help: 'Tags checked with the upstream again.',
    labelNames: ['upstream', 'result'],
    registers,
  });

  const observe = (event: MirrorEvent): void => {
    if (!('host' in event) || !isKnown(event.host)) return;
    const upstream = event.host;
    switch (event.type) {
      case 'download-started':
        inFlight.inc({ upstream });
        return;
      case 'download-joined':
        joined.inc({ upstream });
        return;
      case 'download-readers':
        readers.inc({ upstream }, event.change);
        return;
      case 'download-resumed':
        resumed.inc({ upstream });
        return;
      case 'download-ended':
        inFlight.dec({ upstream });
        ended.inc({ upstream, result: event.result });
        seconds.observe({ upstream }, event.seconds);
        if (event.result === 'mismatch') mismatched.inc({ upstream });
        return;
      case 'revalidated':
        revalidations.inc({ upstream, result: event.result });
        return;
      case 'tag-moved':
    }
  };
  return { mirror: observe, expect: (upstream) => mismatched.inc({ upstream }, 0) };
}
