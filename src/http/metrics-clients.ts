import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { ServedResult } from '../core/served.ts';
import type { Observer, Running } from './observe.ts';

/** Seconds: from a manifest in memory to the first byte of a slow upstream. */
const FIRST_BYTE_BUCKETS = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 30,
];

const METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE']);

/** What clients asked and got. */
export function clientMetrics(
  registry: Registry,
  isKnown: (upstream: string) => boolean,
): Observer {
  const registers = [registry];
  const requests = new Counter({
    name: 'layover_http_requests_total',
    help: 'Requests answered, by what they were for. Code 499: the client left before it had one.',
    labelNames: ['route', 'method', 'code'],
    registers,
  });
  const seconds = new Histogram({
    name: 'layover_http_request_duration_seconds',
    help: 'From the request to the first byte of its answer.',
    labelNames: ['route', 'method'],
    buckets: FIRST_BYTE_BUCKETS,
    registers,
  });
  const inFlight = new Gauge({
    name: 'layover_http_requests_in_flight',
    help: 'Requests being answered.',
    labelNames: ['route'],
    registers,
  });
  const incomplete = new Counter({
    name: 'layover_http_incomplete_total',
    help: 'Answers that did not get through: the client left, or they were cut because they could not be completed right.',
    labelNames: ['route', 'outcome'],
    registers,
  });
  const asked = new Counter({
    name: 'layover_cache_requests_total',
    help: 'Requests for content, one each, by how the cache answered.',
    labelNames: ['upstream', 'kind', 'result'],
    registers,
  });
  const bytes = new Counter({
    name: 'layover_served_bytes_total',
    help: 'Bytes of content given to the sockets of clients, by where they came from.',
    labelNames: ['upstream', 'kind', 'source'],
    registers,
  });

  const upstreamOf = ({ repository }: Running): string | undefined =>
    repository !== undefined && isKnown(repository.host) ? repository.host : undefined;

  return {
    started: ({ route }) => inFlight.inc({ route }),
    sent: (running, count) => {
      const upstream = upstreamOf(running);
      const { kind, served, failure } = running;
      if (upstream === undefined || kind === undefined || failure !== undefined) return;
      bytes.inc({ upstream, kind, source: sourceOf(served?.result) }, count);
    },
    ended: (running, { route, method, status, outcome, firstByteMs }) => {
      const label = METHODS.has(method) ? method : 'other';
      inFlight.dec({ route });
      requests.inc({ route, method: label, code: status });
      seconds.observe({ route, method: label }, firstByteMs / 1000);
      if (outcome !== 'complete') incomplete.inc({ route, outcome });
      const upstream = upstreamOf(running);
      const { kind, served, failure } = running;
      if (upstream === undefined || kind === undefined) return;
      const result = served?.result ?? (failure === undefined ? 'bypass' : 'error');
      asked.inc({ upstream, kind, result });
    },
  };
}

/** Bytes of a joined download came from the upstream once, for somebody else. */
function sourceOf(result: ServedResult | undefined): 'cache' | 'joined' | 'upstream' {
  switch (result) {
    case 'hit':
    case 'revalidated':
    case 'stale':
    case 'negative':
      return 'cache';
    case 'joined':
      return 'joined';
    case 'miss':
    case 'bypass':
    case 'error':
    case undefined:
      return 'upstream';
  }
}
