import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { ServedResult } from '../core/served.ts';
import { Tally } from './tally.ts';
import type { Failure, Observer, Route, Running } from './observe.ts';

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
  const tally = (name: string, help: string, labelNames: string[]): Tally => {
    const made = new Tally(labelNames);
    const counter: Counter = new Counter({
      name,
      help,
      labelNames,
      registers,
      collect: () => made.tell(counter),
    });
    return made;
  };
  const requests = tally(
    'layover_http_requests_total',
    'Requests answered, by what they were for. Code 499: the client left before it had one.',
    ['route', 'method', 'code'],
  );
  const seconds = new Histogram({
    name: 'layover_http_request_duration_seconds',
    help: 'From the request to the first byte of its answer.',
    labelNames: ['route', 'method'],
    buckets: FIRST_BYTE_BUCKETS,
    registers,
  });
  const answering = new Map<Route, number>();
  const inFlight: Gauge = new Gauge({
    name: 'layover_http_requests_in_flight',
    help: 'Requests being answered.',
    labelNames: ['route'],
    registers,
    collect: () => {
      for (const [route, count] of answering) inFlight.set({ route }, count);
    },
  });
  const change = (route: Route, by: 1 | -1): void => {
    answering.set(route, (answering.get(route) ?? 0) + by);
  };
  const incomplete = new Counter({
    name: 'layover_http_incomplete_total',
    help: 'Answers that did not get through: the client left, or they were cut because they could not be completed right.',
    labelNames: ['route', 'outcome'],
    registers,
  });
  const asked = tally(
    'layover_cache_requests_total',
    'Requests for content, one each, by how the cache answered.',
    ['upstream', 'kind', 'result'],
  );
  const bytes = tally(
    'layover_served_bytes_total',
    'Bytes of content given to the sockets of clients, by where they came from.',
    ['upstream', 'kind', 'source'],
  );

  const upstreamOf = ({ repository }: Running): string | undefined =>
    repository !== undefined && isKnown(repository.host) ? repository.host : undefined;

  return {
    started: ({ route }) => change(route, 1),
    sent: (running, count) => {
      const upstream = upstreamOf(running);
      const { kind, served, failure } = running;
      if (upstream === undefined || kind === undefined || failure !== undefined) return;
      bytes.add(count, upstream, kind, sourceOf(served?.result));
    },
    ended: (running, { route, method, status, outcome, firstByteMs }) => {
      const label = METHODS.has(method) ? method : 'other';
      change(route, -1);
      requests.add(1, route, label, status);
      seconds.observe({ route, method: label }, firstByteMs / 1000);
      if (outcome !== 'complete') incomplete.inc({ route, outcome });
      const upstream = upstreamOf(running);
      const { kind, served, failure } = running;
      if (upstream === undefined || kind === undefined) return;
      const result = served?.result ?? resultOf(failure);
      asked.add(1, upstream, kind, result);
    },
  };
}

/** Of what was not served: who asks for what is nowhere, or for bytes that are none, meets no fault. */
function resultOf(failure: Failure | undefined): ServedResult {
  switch (failure?.code) {
    case undefined:
    case 'RANGE_INVALID':
      return 'bypass';
    case 'BLOB_UNKNOWN':
    case 'MANIFEST_UNKNOWN':
    case 'NAME_UNKNOWN':
      return 'miss';
    default:
      return 'error';
  }
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
