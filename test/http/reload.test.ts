import assert from 'node:assert/strict';
import { once } from 'node:events';
import { get } from 'node:https';
import { suite, test } from 'node:test';
import { connect, type TLSSocket } from 'node:tls';
import { createMetrics } from '../../src/http/metrics.ts';
import { createApp, type Serving } from '../../src/http/app.ts';
import { startServer } from '../../src/http/server.ts';
import { createRouter } from '../../src/mirror/route.ts';
import { certificateAuthority } from '../fixtures/certificate.ts';
import { MemorySource } from '../fixtures/memory-source.ts';
import { dial, until } from './raw.ts';
import { serve } from './serve.ts';

const REPOSITORY = { host: 'docker.io', path: 'library/app' };

async function connected(port: number, ca: string): Promise<{ socket: TLSSocket } & Disposable> {
  const socket = connect({ port, host: '127.0.0.1', ca });
  await once(socket, 'secureConnect');
  return { socket, [Symbol.dispose]: () => socket.destroy() };
}

suite('a certificate', () => {
  const authority = certificateAuthority();
  const names = ({ socket }: { socket: TLSSocket }): string | undefined =>
    socket.getPeerCertificate().subjectaltname;

  test('that takes the place of another is shown from the next connection on', async () => {
    await using mirror = await serve({}, authority.issue('127.0.0.1', 'old.example'));
    const { port } = mirror.server;
    using before = await connected(port, authority.ca);
    assert.match(String(names(before)), /old\.example/);
    mirror.server.secure(authority.issue('127.0.0.1', 'new.example'));
    using after = await connected(port, authority.ca);
    assert.match(String(names(after)), /new\.example/);
    before.socket.write('GET /livez HTTP/1.1\r\nHost: a\r\n\r\n');
    const [answer] = (await once(before.socket, 'data')) as [Buffer];
    assert.match(answer.toString(), /^HTTP\/1\.1 200/);
  });

  test('that does not fit its key changes nothing', async () => {
    const good = authority.issue('127.0.0.1', 'old.example');
    await using mirror = await serve({}, good);
    const { key } = authority.issue('127.0.0.1');
    assert.throws(() => mirror.server.secure({ cert: good.cert, key }), {
      code: 'ERR_OSSL_X509_KEY_VALUES_MISMATCH',
    });
    using socket = await connected(mirror.server.port, authority.ca);
    assert.match(String(names(socket)), /old\.example/);
  });

  test('of another authority for clients lets in whom that one vouches for, and nobody else', async () => {
    const [first, second] = [certificateAuthority('first'), certificateAuthority('second')];
    const own = authority.issue('127.0.0.1');
    await using mirror = await serve({}, { ...own, clientCa: first.ca });
    const { port } = mirror.server;
    const asks = async (client: { cert: string; key: string }) => {
      const at = { port, host: '127.0.0.1', path: '/livez', ca: authority.ca };
      const [answer] = await once(get({ ...at, ...client, agent: false }), 'response');
      answer.resume();
      return answer.statusCode as number;
    };
    assert.equal(await asks(first.issue('client')), 200);
    mirror.server.secure({ ...own, clientCa: second.ca });
    assert.equal(await asks(second.issue('client')), 200);
    await assert.rejects(asks(first.issue('client')));
  });

  test('is of no use to a server that speaks plain HTTP', async () => {
    await using mirror = await serve();
    assert.throws(() => mirror.server.secure(authority.issue('127.0.0.1')), /plain HTTP/);
  });
});

function metricsOf(upstreams: ReadonlySet<string>) {
  const figure = { usedBytes: 0, objects: 0, partialBytes: 0, keptBytes: 0, limitBytes: 0 };
  const storage = async () => ({ ...figure, minFreeBytes: 0, availableBytes: 0, capacityBytes: 0 });
  return createMetrics({ version: '0', upstreams, storage });
}

test('a request goes to its end by what was in force when it began', async () => {
  const source = new MemorySource();
  const going = Promise.withResolvers<void>();
  const reached = Promise.withResolvers<void>();
  source.fault = async () => {
    reached.resolve();
    await going.promise;
    return undefined;
  };
  const other = new MemorySource();
  source.putManifest(REPOSITORY, { layers: [], from: 'the old one' }, 'v1');
  other.putManifest(REPOSITORY, { layers: [], from: 'the new one' }, 'v1');
  const router = createRouter({
    upstreams: [{ host: 'docker.io', aliases: [] }],
    defaultUpstream: 'docker.io',
  });
  const catalog = async () => [];
  let serving: Serving = { source, router, catalog, whenRateLimited: 429 };
  const app = createApp({
    serving: () => serving,
    ready: async () => undefined,
    metrics: metricsOf(new Set(['docker.io'])),
    log: () => {},
  });
  const server = await startServer({ app, listen: { host: '127.0.0.1', port: 0 } });
  try {
    const url = `http://127.0.0.1:${server.port}/v2/app/manifests/v1`;
    const first = fetch(url);
    await reached.promise;
    serving = { ...serving, source: other };
    let passed = false;
    const passing = app.passed().then(() => (passed = true));
    const second = await (await fetch(url)).text();
    assert.match(second, /the new one/);
    assert.equal(passed, false, 'the first one is still being answered');
    going.resolve();
    assert.match(await (await first).text(), /the old one/);
    await passing;
  } finally {
    await server.close(0);
  }
});

test('those who came later are not waited for', { timeout: 5_000 }, async () => {
  await using mirror = await serve();
  const held = Promise.withResolvers<void>();
  const digest = mirror.source.putBlob(REPOSITORY, Buffer.alloc(3000, 'x'));
  mirror.source.behave({ chunk: 1000, before: (at) => (at === 0 ? undefined : held.promise) });
  const passed = mirror.app.passed();
  const busy = await dial(mirror.server.port);
  busy.write(`GET /v2/app/blobs/${digest} HTTP/1.1\r\nHost: a\r\n\r\n`);
  await until(busy, /x{1000}$/);
  await passed;
  held.resolve();
});

suite('metrics', () => {
  const event = { type: 'circuit', host: 'quay.io', open: true } as const;

  test('an upstream that comes later has them, one that was never there has not', async () => {
    const upstreams = new Set(['docker.io']);
    const metrics = metricsOf(upstreams);
    metrics.upstream(event);
    assert.doesNotMatch(await metrics.render(), /quay\.io/);
    upstreams.add('quay.io');
    metrics.upstream(event);
    assert.match(await metrics.render(), /layover_upstream_circuit_open\{upstream="quay.io"\} 1/);
  });

  test('of an upstream that is gone, what counts stays and what states goes', async () => {
    const metrics = metricsOf(new Set(['docker.io', 'quay.io']));
    for (const host of ['docker.io', 'quay.io']) {
      metrics.upstream({ ...event, host });
      metrics.upstream({ type: 'load', host, inFlight: 3, waiting: 2 });
      metrics.upstream({ type: 'budget', host, limit: 100, remaining: 5, windowSeconds: 60 });
      metrics.upstream({
        type: 'request',
        host,
        kind: 'blob',
        method: 'GET',
        code: '200',
        seconds: 1,
      });
    }
    metrics.forget('quay.io');
    const lines = (await metrics.render()).split('\n');
    const about = (host: string) =>
      new Set(lines.filter((line) => line.includes(host)).map((line) => line.split('{')[0]));
    assert.ok(about('docker.io').has('layover_upstream_circuit_open'));
    assert.deepEqual(
      [...about('quay.io')].filter((name) => !/_(?:total|bucket|sum|count)$/.test(name ?? '')),
      [],
    );
    assert.ok(about('quay.io').has('layover_upstream_requests_total'));
  });

  test('tell whether the configuration in effect is the one that was written', async () => {
    const metrics = metricsOf(new Set());
    const config = async () => {
      const lines = (await metrics.render()).split('\n');
      const value = (name: string) =>
        Number(
          lines
            .find((line) => line.startsWith(`layover_config_${name} `))
            ?.split(' ')
            .at(-1),
        );
      return {
        success: value('reloads_total{result="success"}'),
        failure: value('reloads_total{result="failure"}'),
        last: value('last_reload_successful'),
        waiting: value('keys_awaiting_restart'),
        since: value('last_reload_success_timestamp_seconds'),
      };
    };
    const { since, ...start } = await config();
    assert.deepEqual(start, { success: 0, failure: 0, last: 1, waiting: 0 });
    assert.ok(Math.abs(since - Date.now() / 1000) < 60);
    metrics.reloaded({ result: 'success', needRestart: 2 });
    metrics.reloaded({ result: 'failure' });
    const { since: later, ...end } = await config();
    assert.deepEqual(end, { success: 1, failure: 1, last: 0, waiting: 2 });
    assert.ok(later >= since);
  });
});
