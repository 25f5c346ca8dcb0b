import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { UpstreamEvent } from '../upstream/event.ts';

const HEADERS_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30];

const TOKEN_RESULTS = ['ok', 'denied', 'error'] as const;

/** What the upstreams were asked, and how they are. */
export function upstreamMetrics(
  registry: Registry,
  isKnown: (upstream: string) => boolean,
): {
  readonly upstream: (event: UpstreamEvent) => void;
  readonly forget: (upstream: string) => void;
  /** Counts from 0 what an alert is to see the first increase of. */
  readonly expect: (upstream: string) => void;
} {
  const traffic = trafficMetrics(registry);
  const state = stateMetrics(registry);
  const budget = budgetMetrics(registry);

  const observe = (event: UpstreamEvent): void => {
    const upstream = event.host;
    if (!isKnown(upstream)) return;
    switch (event.type) {
      case 'request': {
        const { kind, method, code } = event;
        traffic.requests.inc({ upstream, kind, method, code });
        traffic.seconds.observe({ upstream, kind }, event.seconds);
        const answered = /^[1-4][0-9]{2}$/.test(code);
        state.up.set({ upstream }, answered ? 1 : 0);
        if (answered) state.lastSuccess.set({ upstream }, now());
        return;
      }
      case 'received':
        traffic.received.inc({ upstream, kind: event.kind }, event.bytes);
        return;
      case 'load':
        state.inFlight.set({ upstream }, event.inFlight);
        state.waiting.set({ upstream }, event.waiting);
        return;
      case 'retry':
        traffic.retries.inc({ upstream, reason: event.reason });
        return;
      case 'circuit':
        state.circuit.set({ upstream }, event.open ? 1 : 0);
        return;
      case 'token':
        traffic.tokens.inc({ upstream, result: event.result });
        return;
      case 'budget':
        budget.limit.set({ upstream }, event.limit);
        budget.remaining.set({ upstream }, event.remaining);
        if (event.windowSeconds !== undefined) budget.window.set({ upstream }, event.windowSeconds);
        budget.observed.set({ upstream }, now());
        return;
      case 'rate-limited':
        traffic.rateLimited.inc({ upstream });
    }
  };
  return {
    upstream: observe,
    expect: (upstream) => {
      for (const result of TOKEN_RESULTS) traffic.tokens.inc({ upstream, result }, 0);
      traffic.rateLimited.inc({ upstream }, 0);
    },
    forget: (upstream) => {
      for (const gauge of [...Object.values(state), ...Object.values(budget)]) {
        gauge.remove({ upstream });
      }
    },
  };
}

function trafficMetrics(registry: Registry) {
  const registers = [registry];
  return {
    requests: new Counter({
      name: 'layover_upstream_requests_total',
      help: 'Requests to upstreams; code is the status, or why there was none.',
      labelNames: ['upstream', 'kind', 'method', 'code'],
      registers,
    }),
    seconds: new Histogram({
      name: 'layover_upstream_request_duration_seconds',
      help: 'From a request to an upstream to the head of its answer, or the failure.',
      labelNames: ['upstream', 'kind'],
      buckets: HEADERS_BUCKETS,
      registers,
    }),
    received: new Counter({
      name: 'layover_upstream_received_bytes_total',
      help: 'Bytes of content received from upstreams.',
      labelNames: ['upstream', 'kind'],
      registers,
    }),
    retries: new Counter({
      name: 'layover_upstream_retries_total',
      help: 'Requests to upstreams made once more.',
      labelNames: ['upstream', 'reason'],
      registers,
    }),
    tokens: new Counter({
      name: 'layover_upstream_token_requests_total',
      help: 'Tokens asked of the token services of upstreams.',
      labelNames: ['upstream', 'result'],
      registers,
    }),
    rateLimited: new Counter({
      name: 'layover_upstream_rate_limited_total',
      help: 'Times that an upstream said "too many requests".',
      labelNames: ['upstream'],
      registers,
    }),
  };
}

function stateMetrics(registry: Registry) {
  const gauge = (name: string, help: string) =>
    new Gauge({
      name: `layover_upstream_${name}`,
      help,
      labelNames: ['upstream'],
      registers: [registry],
    });
  return {
    inFlight: gauge('in_flight', 'Requests to the upstream under way.'),
    waiting: gauge(
      'queue_length',
      'Requests that wait for one of the connections to the upstream.',
    ),
    up: gauge(
      'up',
      'Whether the last request got an answer, 5xx not counted; absent before the first.',
    ),
    lastSuccess: gauge('last_success_timestamp_seconds', 'When the upstream last answered.'),
    circuit: gauge(
      'circuit_open',
      'Whether the upstream is left alone for a while after failures.',
    ),
  };
}

function budgetMetrics(registry: Registry) {
  const gauge = (name: string, help: string) =>
    new Gauge({
      name: `layover_upstream_ratelimit_${name}`,
      help,
      labelNames: ['upstream'],
      registers: [registry],
    });
  return {
    limit: gauge(
      'limit',
      'Pulls that the upstream allows in a window; absent while it states none.',
    ),
    remaining: gauge('remaining', 'Pulls left in the window.'),
    window: gauge('window_seconds', 'The length of the window.'),
    observed: gauge('observed_timestamp_seconds', 'When the upstream last stated its limit.'),
  };
}

function now(): number {
  return Date.now() / 1000;
}
