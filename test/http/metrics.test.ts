import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { RegistryError } from '../../src/core/errors.ts';
import type { ServedResult } from '../../src/core/served.ts';
import { createMetrics, type Metrics, type MetricsOptions } from '../../src/http/metrics.ts';
import { digestOf } from '../../src/core/digest.ts';
import { certificateAuthority } from '../fixtures/certificate.ts';
import { dial, until } from './raw.ts';
import { serve } from './serve.ts';

const REPOSITORY = { host: 'docker.io', path: 'library/app' };
const DIGEST = digestOf(Buffer.from('x'));

function metricsOf(options: Partial<MetricsOptions> = {}): Metrics {
  return createMetrics({
    version: '1.2.3',
    upstreams: new Set(['docker.io']),
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
    ...options,
  });
}

/** Without what has not happened. */
const counted = (found: Readonly<Record<string, number>>): Record<string, number> =>
  Object.fromEntries(Object.entries(found).filter(([, count]) => count > 0));

/** The samples of one metric, as Prometheus would read them. */
async function samples(metrics: Metrics, name: string): Promise<Record<string, number>> {
  const lines = (await metrics.render()).split('\n');
  const found = lines.filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `));
  return Object.fromEntries(
    found.map((line) => {
      const blank = line.lastIndexOf(' ');
      return [line.slice(name.length, blank), Number(line.slice(blank + 1))];
    }),
  );
}

suite('requests', () => {
  const RESULTS: readonly (readonly [ServedResult | undefined, string, string])[] = [
    ['hit', 'hit', 'cache'],
    ['miss', 'miss', 'upstream'],
    ['joined', 'joined', 'joined'],
    ['revalidated', 'revalidated', 'cache'],
    ['stale', 'stale', 'cache'],
    ['bypass', 'bypass', 'upstream'],
    [undefined, 'bypass', 'upstream'],
  ];
  for (const [result, label, source] of RESULTS) {
    test(`served as ${result} count once, and their bytes as from ${source}`, async () => {
      await using mirror = await serve();
      mirror.source.served = result === undefined ? undefined : { result };
      const blob = mirror.source.putBlob(REPOSITORY, Buffer.alloc(100_000));
      await (await fetch(`${mirror.url}/v2/app/blobs/${blob}`)).arrayBuffer();
      await fetch(`${mirror.url}/v2/app/blobs/${blob}`, { method: 'HEAD' });
      await mirror.recorded(2);
      assert.deepEqual(await samples(mirror.metrics, 'layover_cache_requests_total'), {
        [`{upstream="docker.io",kind="blob",result="${label}"}`]: 2,
      });
      assert.deepEqual(await samples(mirror.metrics, 'layover_served_bytes_total'), {
        [`{upstream="docker.io",kind="blob",source="${source}"}`]: 100_000,
      });
    });
  }

  test('are counted by what they were for', async () => {
    await using mirror = await serve();
    const { bytes } = mirror.source.putManifest(REPOSITORY, { layers: [] }, 'v1');
    await (await fetch(`${mirror.url}/v2/app/manifests/v1`)).arrayBuffer();
    await fetch(`${mirror.url}/v2/app/manifests/absent`);
    await fetch(`${mirror.url}/v2/app/manifests/v1`, { method: 'PUT', body: 'x' });
    await fetch(`${mirror.url}/v2/ghcr.io/a/manifests/v1`);
    await fetch(`${mirror.url}/v2/`);
    await fetch(`${mirror.url}/livez`);
    await mirror.recorded(6);
    assert.deepEqual(await samples(mirror.metrics, 'layover_http_requests_total'), {
      '{route="manifest",method="GET",code="200"}': 1,
      '{route="manifest",method="GET",code="404"}': 2,
      '{route="manifest",method="PUT",code="405"}': 1,
      '{route="base",method="GET",code="200"}': 1,
      '{route="probe",method="GET",code="200"}': 1,
    });
    assert.deepEqual(await samples(mirror.metrics, 'layover_cache_requests_total'), {
      '{upstream="docker.io",kind="manifest",result="bypass"}': 1,
      '{upstream="docker.io",kind="manifest",result="miss"}': 1,
    });
    assert.deepEqual(await samples(mirror.metrics, 'layover_served_bytes_total'), {
      '{upstream="docker.io",kind="manifest",source="upstream"}': bytes.length,
    });
    const inFlight = await samples(mirror.metrics, 'layover_http_requests_in_flight');
    assert.deepEqual(new Set(Object.values(inFlight)), new Set([0]));
  });

  test('that a client leaves count the bytes that it got', async () => {
    await using mirror = await serve();
    const never = Promise.withResolvers<void>();
    mirror.source.behave({ chunk: 1000, before: (at) => (at < 2000 ? undefined : never.promise) });
    const blob = mirror.source.putBlob(REPOSITORY, Buffer.alloc(10_000, 'x'));
    const socket = await dial(mirror.server.port);
    socket.write(`GET /v2/app/blobs/${blob} HTTP/1.1\r\nHost: a\r\n\r\n`);
    await until(socket, /x{2000}$/);
    const inFlight = await samples(mirror.metrics, 'layover_http_requests_in_flight');
    assert.equal(inFlight['{route="blob"}'], 1);
    socket.destroy();
    await mirror.recorded(1);
    assert.deepEqual(await samples(mirror.metrics, 'layover_served_bytes_total'), {
      '{upstream="docker.io",kind="blob",source="upstream"}': 2000,
    });
    assert.deepEqual(await samples(mirror.metrics, 'layover_http_incomplete_total'), {
      '{route="blob",outcome="client-gone"}': 1,
    });
  });
});

suite('a record of a request', () => {
  test('holds what happened, and no secret', async () => {
    await using mirror = await serve();
    mirror.source.served = { result: 'hit' };
    const { bytes } = mirror.source.putManifest(
      { host: 'quay.io', path: 'org/app' },
      { layers: [] },
      'v1',
    );
    const response = await fetch(`${mirror.url}/v2/org/app/manifests/v1?ns=quay.io&token=secret`, {
      headers: {
        authorization: 'Bearer secret',
        cookie: 'secret',
        'user-agent': 'tester/1',
        'x-request-id': 'abc-1',
      },
    });
    await response.arrayBuffer();
    assert.equal(response.headers.get('x-request-id'), 'abc-1');
    const [record] = await mirror.recorded(1);
    assert.ok(record);
    const { durationMs, firstByteMs, ...rest } = record;
    assert.ok(firstByteMs > 0 && firstByteMs <= durationMs);
    assert.deepEqual(rest, {
      requestId: 'abc-1',
      method: 'GET',
      path: '/v2/org/app/manifests/v1',
      status: 200,
      outcome: 'complete',
      bytes: bytes.length,
      route: 'manifest',
      ns: 'quay.io',
      upstream: 'quay.io',
      repository: 'org/app',
      reference: 'v1',
      cache: 'hit',
      client: '127.0.0.1',
      userAgent: 'tester/1',
      failure: undefined,
    });
    assert.doesNotMatch(JSON.stringify(record), /secret/);
  });

  test('holds the error that the client was told', async () => {
    await using mirror = await serve();
    mirror.source.fault = () => Promise.reject(new RegistryError('MANIFEST_UNKNOWN', 'not there'));
    const response = await fetch(`${mirror.url}/v2/app/manifests/v1`, {
      headers: { 'x-request-id': 'no good"' },
    });
    const id = response.headers.get('x-request-id');
    assert.match(id ?? '', /^[0-9a-f-]{36}$/);
    const [record] = await mirror.recorded(1);
    assert.equal(record?.requestId, id);
    assert.deepEqual(record?.failure, { code: 'MANIFEST_UNKNOWN', message: 'not there' });
  });
});

suite('metrics', () => {
  test('say what runs, how full the store is, and how the process does', async () => {
    const metrics = metricsOf({ revision: 'abc' });
    assert.deepEqual(await samples(metrics, 'layover_build_info'), {
      [`{version="1.2.3",revision="abc",node="${process.version}"}`]: 1,
    });
    assert.deepEqual(await samples(metrics, 'layover_storage_used_bytes'), { '': 7 });
    assert.deepEqual(await samples(metrics, 'layover_storage_limit_bytes'), { '': 100 });
    assert.deepEqual(await samples(metrics, 'layover_storage_fs_size_bytes'), {});
    assert.match(await metrics.render(), /^process_resident_memory_bytes [0-9]/m);
    assert.match(metrics.contentType, /^text\/plain; version=0\.0\.4/);
  });

  test('count from 0 what an alert is to see the first of, also for upstreams that come later', async () => {
    const upstreams = new Set(['docker.io']);
    const metrics = metricsOf({ upstreams });
    await metrics.render();
    upstreams.add('quay.io');
    for (const upstream of upstreams) {
      for (const name of ['upstream_rate_limited_total', 'digest_mismatch_total']) {
        const found = await samples(metrics, `layover_${name}`);
        assert.equal(found[`{upstream="${upstream}"}`], 0, name);
      }
      const tokens = await samples(metrics, 'layover_upstream_token_requests_total');
      assert.equal(tokens[`{upstream="${upstream}",result="denied"}`], 0);
    }
    const runs = await samples(metrics, 'layover_prefetch_runs_total');
    assert.equal(runs['{trigger="schedule",result="incomplete"}'], 0);
    const imports = await samples(metrics, 'layover_imports_total');
    assert.equal(imports['{result="refused"}'], 0);
    const damaged = await samples(metrics, 'layover_integrity_failures_total');
    assert.equal(damaged['{reason="digest"}'], 0);
    const errors = await samples(metrics, 'layover_storage_errors_total');
    assert.equal(errors['{operation="commit"}'], 0);
    assert.deepEqual(await samples(metrics, 'layover_storage_min_free_bytes'), { '': 5 });
  });

  test('say nothing of a certificate where none is shown', async () => {
    const metrics = metricsOf();
    const expiry = () => samples(metrics, 'layover_tls_certificate_expiry_timestamp_seconds');
    for (const pem of [certificateAuthority().ca, undefined, 'no certificate']) {
      metrics.certificate(pem);
      assert.equal(Object.keys(await expiry()).length, pem?.startsWith('-----') ? 1 : 0);
    }
  });

  test('are there although the store is not', async () => {
    const metrics = metricsOf({ storage: () => Promise.reject(new Error('gone')) });
    assert.deepEqual(counted(await samples(metrics, 'layover_storage_errors_total')), {
      '{operation="figures"}': 1,
    });
    assert.deepEqual(await samples(metrics, 'layover_storage_used_bytes'), {});
  });

  test('follow the upstreams', async () => {
    const metrics = metricsOf();
    const host = 'docker.io';
    metrics.upstream({
      host,
      type: 'request',
      kind: 'blob',
      method: 'GET',
      code: '200',
      seconds: 0.1,
    });
    metrics.upstream({ host, type: 'received', kind: 'blob', bytes: 10 });
    metrics.upstream({ host, type: 'load', inFlight: 3, waiting: 4 });
    metrics.upstream({ host, type: 'retry', reason: 'reset' });
    metrics.upstream({ host, type: 'circuit', open: true });
    metrics.upstream({ host, type: 'token', result: 'ok' });
    metrics.upstream({ host, type: 'budget', limit: 100, remaining: 76, windowSeconds: 21_600 });
    metrics.upstream({ host, type: 'rate-limited', retryAfter: 3 });
    const of = (name: string) => samples(metrics, `layover_upstream_${name}`);
    const label = '{upstream="docker.io"}';
    assert.deepEqual(await of('requests_total'), {
      '{upstream="docker.io",kind="blob",method="GET",code="200"}': 1,
    });
    assert.deepEqual(await of('received_bytes_total'), {
      '{upstream="docker.io",kind="blob"}': 10,
    });
    assert.deepEqual(await of('in_flight'), { [label]: 3 });
    assert.deepEqual(await of('queue_length'), { [label]: 4 });
    assert.deepEqual(await of('retries_total'), { '{upstream="docker.io",reason="reset"}': 1 });
    assert.deepEqual(await of('circuit_open'), { [label]: 1 });
    assert.deepEqual(await of('up'), { [label]: 1 });
    assert.deepEqual(counted(await of('token_requests_total')), {
      '{upstream="docker.io",result="ok"}': 1,
    });
    assert.deepEqual(await of('ratelimit_remaining'), { [label]: 76 });
    assert.deepEqual(await of('ratelimit_window_seconds'), { [label]: 21_600 });
    assert.deepEqual(await of('rate_limited_total'), { [label]: 1 });
    metrics.upstream({
      host,
      type: 'request',
      kind: 'blob',
      method: 'GET',
      code: 'timeout',
      seconds: 9,
    });
    assert.deepEqual(await of('up'), { [label]: 0 });
  });

  test('follow the downloads and what is stored', async () => {
    const metrics = metricsOf();
    const host = 'docker.io';
    const started = { type: 'download-started', host, digest: DIGEST } as const;
    const ended = { type: 'download-ended', host, digest: DIGEST, seconds: 2 } as const;
    metrics.mirror(started);
    metrics.mirror(started);
    metrics.mirror({ type: 'download-joined', host, digest: DIGEST });
    for (const change of [1, 1, -1] as const)
      metrics.mirror({ type: 'download-readers', host, change });
    metrics.mirror({ type: 'storage-operation', operation: 'commit', seconds: 0.3 });
    metrics.mirror({ type: 'download-resumed', host, digest: DIGEST, at: 5 });
    metrics.mirror({ ...ended, result: 'mismatch' });
    metrics.mirror({ type: 'revalidated', host, result: 'unchanged' });
    metrics.mirror({ type: 'storage-error', operation: 'commit', error: new Error('full') });
    metrics.mirror({ type: 'damaged', digest: DIGEST, reason: 'digest' });
    const evicted = { digest: DIGEST, size: 12, age: 60_000, reason: 'budget' } as const;
    metrics.housekeeping({ type: 'evicted', ...evicted });
    metrics.housekeeping({ type: 'no-room', bytes: 7, reason: 'full' });
    const of = (name: string) => samples(metrics, `layover_${name}`);
    const label = '{upstream="docker.io"}';
    assert.deepEqual(await of('downloads_in_flight'), { [label]: 1 });
    assert.deepEqual(await of('downloads_total'), {
      '{upstream="docker.io",result="mismatch"}': 1,
    });
    assert.deepEqual(await of('download_joins_total'), { [label]: 1 });
    assert.deepEqual(await of('download_readers'), { [label]: 1 });
    assert.deepEqual(await of('storage_operation_duration_seconds_sum'), {
      '{operation="commit"}': 0.3,
    });
    assert.deepEqual(await of('download_resumes_total'), { [label]: 1 });
    assert.deepEqual(await of('digest_mismatch_total'), { [label]: 1 });
    assert.deepEqual(await of('revalidations_total'), {
      '{upstream="docker.io",result="unchanged"}': 1,
    });
    assert.deepEqual(counted(await of('storage_errors_total')), { '{operation="commit"}': 1 });
    assert.deepEqual(counted(await of('integrity_failures_total')), { '{reason="digest"}': 1 });
    assert.deepEqual(await of('evicted_bytes_total'), { '{reason="budget"}': 12 });
    assert.deepEqual(await of('storage_refused_bytes_total'), { '': 7 });
    assert.deepEqual(await of('eviction_oldest_access_age_seconds'), { '': 60 });
  });

  test('know no upstream that is not configured', async () => {
    const metrics = metricsOf();
    metrics.upstream({ host: 'evil.example', type: 'circuit', open: true });
    metrics.mirror({ type: 'download-started', host: 'evil.example', digest: DIGEST });
    assert.doesNotMatch(await metrics.render(), /evil/);
  });
});
