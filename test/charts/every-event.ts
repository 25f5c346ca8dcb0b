import { digestOf } from '../../src/core/digest.ts';
import { parseTag } from '../../src/core/reference.ts';
import type { Kind } from '../../src/core/kind.ts';
import type { ServedResult } from '../../src/core/served.ts';
import { createMetrics } from '../../src/http/metrics.ts';
import type { RequestRecord, Route } from '../../src/http/observe.ts';
import type { ImportEvent } from '../../src/image/bundle/event.ts';
import type { ImportedImage } from '../../src/image/bundle/import.ts';
import type { Trigger } from '../../src/image/prefetch/prefetcher.ts';
import type { MirrorEvent } from '../../src/mirror/event.ts';
import { certificateAuthority } from '../fixtures/certificate.ts';
import type { EvictionReason } from '../../src/store/budget/evictor.ts';

/** Every member of a union: a new one does not compile until it is here. */
const all = <Name extends string>(members: Readonly<Record<Name, true>>): readonly Name[] =>
  Object.keys(members) as Name[];

const KINDS = all<Kind>({ manifest: true, blob: true, tags: true, referrers: true });
const RESULTS = all<ServedResult>({
  hit: true,
  miss: true,
  joined: true,
  revalidated: true,
  stale: true,
  negative: true,
  bypass: true,
  error: true,
});
const ROUTES = all<Route>({
  base: true,
  catalog: true,
  manifest: true,
  blob: true,
  tags: true,
  referrers: true,
  uploads: true,
  page: true,
  probe: true,
  other: true,
});
const OUTCOMES = all<RequestRecord['outcome']>({ complete: true, 'client-gone': true, cut: true });
const EVICTIONS = all<EvictionReason>({
  budget: true,
  'free-space': true,
  share: true,
  age: true,
  request: true,
});
const DOWNLOADS = all<Extract<MirrorEvent, { type: 'download-ended' }>['result']>({
  stored: true,
  unstored: true,
  mismatch: true,
  abandoned: true,
  failed: true,
});
const REVALIDATIONS = all<Extract<MirrorEvent, { type: 'revalidated' }>['result']>({
  unchanged: true,
  changed: true,
  gone: true,
  error: true,
  'stale-served': true,
});
const TRIGGERS = all<Trigger>({ request: true, schedule: true, 'tag-moved': true });

const OUTCOMES_OF_TAGS = all<ImportedImage['outcome']>({
  new: true,
  same: true,
  moved: true,
  stays: true,
});
const IMPORTS = all<Extract<ImportEvent, { type: 'ended' }>['result']>({
  refused: true,
  interrupted: true,
});

const host = 'docker.io';
const digest = digestOf(Buffer.from('x'));

/** The metrics page after everything has happened once that can happen. */
export async function afterEverything(): Promise<string> {
  const bytes = { usedBytes: 1, objects: 1, partialBytes: 1, keptBytes: 1, limitBytes: 1 };
  const metrics = createMetrics({
    version: '0',
    upstreams: new Set([host]),
    storage: async () => ({ ...bytes, minFreeBytes: 1, availableBytes: 1, capacityBytes: 1 }),
  });
  requests(metrics);
  upstream(metrics);
  mirror(metrics);
  for (const reason of EVICTIONS) {
    metrics.housekeeping({ type: 'evicted', digest, size: 1, age: 1, reason });
  }
  metrics.housekeeping({ type: 'no-room', bytes: 1, reason: 'x' });
  for (const trigger of TRIGGERS) {
    const amount = { blobs: 1, bytes: 1 };
    const summary = { complete: 1, fetched: amount, held: amount, failures: [] };
    metrics.prefetch({ type: 'begun', trigger, images: 1 });
    for (const result of ['complete', 'incomplete', 'interrupted'] as const) {
      metrics.prefetch({ type: 'ended', trigger, result, summary, seconds: 1 });
    }
  }
  imports(metrics);
  metrics.certificate(certificateAuthority().ca);
  metrics.reloaded({ result: 'failure' });
  return metrics.render();
}

function imports(metrics: Metrics): void {
  const images = OUTCOMES_OF_TAGS.map((outcome) => ({ name: 'x', digest, outcome, without: [] }));
  const imported = { images, places: [], blobs: 1, bytes: 1 };
  metrics.imports({ type: 'begun', name: 'x' });
  metrics.imports({ type: 'read', name: 'x', bytes: 1, total: 1 });
  metrics.imports({ type: 'imported', name: 'x', imported, seconds: 1 });
  for (const result of IMPORTS) {
    metrics.imports({ type: 'ended', name: 'x', result, error: new Error('x') });
  }
}

type Metrics = ReturnType<typeof createMetrics>;

function requests(metrics: Metrics): void {
  const repository = { host, path: 'library/app' };
  const record = {
    requestId: '1',
    method: 'GET',
    path: '/',
    status: 200,
    bytes: 1,
    durationMs: 1,
    firstByteMs: 1,
    ns: undefined,
    upstream: host,
    repository: undefined,
    reference: undefined,
    cache: undefined,
    client: undefined,
    userAgent: undefined,
    failure: undefined,
  };
  for (const route of ROUTES) {
    for (const result of RESULTS) {
      const kind = KINDS.find((one) => one === route);
      const running = { route, kind, repository, served: { result }, failure: undefined };
      metrics.started(running);
      metrics.sent(running, 1);
      for (const outcome of OUTCOMES) metrics.ended(running, { ...record, route, outcome });
    }
  }
}

function upstream(metrics: Metrics): void {
  for (const kind of KINDS) {
    for (const code of ['200', '503', 'timeout', 'reset']) {
      metrics.upstream({ host, type: 'request', kind, method: 'GET', code, seconds: 1 });
    }
    metrics.upstream({ host, type: 'received', kind, bytes: 1 });
  }
  metrics.upstream({ host, type: 'request', kind: 'blob', method: 'GET', code: '200', seconds: 1 });
  metrics.upstream({ host, type: 'load', inFlight: 1, waiting: 1 });
  metrics.upstream({ host, type: 'retry', reason: 'reset' });
  metrics.upstream({ host, type: 'circuit', open: true });
  for (const result of ['ok', 'denied', 'error'] as const) {
    metrics.upstream({ host, type: 'token', result });
  }
  metrics.upstream({ host, type: 'budget', limit: 2, remaining: 1, windowSeconds: 1 });
  metrics.upstream({ host, type: 'rate-limited', retryAfter: 1 });
}

function mirror(metrics: Metrics): void {
  const repository = { host, path: 'library/app' };
  metrics.mirror({ type: 'download-started', host, digest });
  metrics.mirror({ type: 'download-joined', host, digest });
  metrics.mirror({ type: 'download-readers', host, change: 1 });
  metrics.mirror({ type: 'download-resumed', host, digest, at: 1 });
  for (const result of DOWNLOADS) {
    metrics.mirror({ type: 'download-ended', host, digest, result, seconds: 1 });
  }
  for (const result of REVALIDATIONS) metrics.mirror({ type: 'revalidated', host, result });
  metrics.mirror({ type: 'tag-moved', host, repository, tag: parseTag('v1'), digest });
  metrics.mirror({ type: 'storage-operation', operation: 'commit', seconds: 1 });
  metrics.mirror({ type: 'storage-error', operation: 'links', error: new Error('x') });
  for (const reason of ['size', 'digest'] as const) {
    metrics.mirror({ type: 'damaged', digest, reason });
  }
}
