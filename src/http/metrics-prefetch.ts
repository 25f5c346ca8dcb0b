import { Counter, Gauge, type Registry } from 'prom-client';
import type { PrefetchRunEvent } from '../image/prefetch/prefetcher.ts';

/** There from the start, so that the first run that ends so is seen as an increase. */
const TRIGGERS = ['request', 'schedule', 'tag-moved'] as const;
const RESULTS = ['complete', 'incomplete', 'interrupted'] as const;

/** What is fetched before anybody asks for it. */
export function prefetchMetrics(registry: Registry): (event: PrefetchRunEvent) => void {
  const registers = [registry];
  const running = new Gauge({
    name: 'layover_prefetch_running',
    help: 'Prefetch runs under way.',
    registers,
  });
  const runs = new Counter({
    name: 'layover_prefetch_runs_total',
    help: 'Prefetch runs, by what began them (request, schedule, tag-moved) and how they ended.',
    labelNames: ['trigger', 'result'],
    registers,
  });
  for (const trigger of TRIGGERS) {
    for (const result of RESULTS) runs.inc({ trigger, result }, 0);
  }
  const images = new Counter({
    name: 'layover_prefetch_images_total',
    help: 'Images that runs made whole, or could not.',
    labelNames: ['trigger', 'result'],
    registers,
  });
  const bytes = new Counter({
    name: 'layover_prefetch_bytes_total',
    help: 'Bytes of content that runs fetched, or found here.',
    labelNames: ['trigger', 'source'],
    registers,
  });
  const complete = new Gauge({
    name: 'layover_prefetch_last_complete_timestamp_seconds',
    help: 'When a run last ended with everything that was asked for.',
    labelNames: ['trigger'],
    registers,
  });
  return (event) => {
    const { trigger } = event;
    switch (event.type) {
      case 'begun':
        running.inc();
        return;
      case 'image':
        return;
      case 'ended': {
        running.dec();
        runs.inc({ trigger, result: event.result });
        if (event.result === 'complete') complete.set({ trigger }, Date.now() / 1000);
        if (event.summary === undefined) return;
        const { complete: made, failures, fetched, held } = event.summary;
        images.inc({ trigger, result: 'complete' }, made);
        images.inc({ trigger, result: 'failed' }, failures.length);
        bytes.inc({ trigger, source: 'fetched' }, fetched.bytes);
        bytes.inc({ trigger, source: 'held' }, held.bytes);
      }
    }
  };
}
