import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import {
  connect,
  type ClientHttp2Session,
  type ClientHttp2Stream,
  type Settings,
} from 'node:http2';
import { get } from 'node:https';
import type { IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, suite, test } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { promisify } from 'node:util';
import { startServer } from '../../src/http/server.ts';
import { dial, until, untilClosed } from './raw.ts';
import { serve } from './serve.ts';

const REPOSITORY = { host: 'docker.io', path: 'library/app' };
const PING = 'GET /v2/ HTTP/1.1\r\nHost: a\r\n\r\n';

suite('closing', () => {
  test('lets running answers finish, closes what is idle and accepts nothing more', async () => {
    await using mirror = await serve();
    const going = Promise.withResolvers<void>();
    mirror.source.behave({ chunk: 1000, before: (at) => (at === 0 ? undefined : going.promise) });
    const digest = mirror.source.putBlob(REPOSITORY, Buffer.alloc(3000, 'x'));
    const { port } = mirror.server;

    const silent = await dial(port);
    const idle = await dial(port);
    idle.write(PING);
    await until(idle, /\{\}$/);
    const busy = await dial(port);
    busy.write(`GET /v2/app/blobs/${digest} HTTP/1.1\r\nHost: a\r\n\r\n`);
    await until(busy, /x{1000}$/);

    const closing = mirror.server.close(60_000);
    await untilClosed(idle);
    await assert.rejects(dial(port), { code: 'ECONNREFUSED' });
    assert.equal(busy.closed, false);

    const rest = untilClosed(busy);
    going.resolve();
    assert.equal(await rest, 'x'.repeat(2000));
    await untilClosed(silent);
    assert.deepEqual(await closing, { cut: 0 });
  });

  test('says so to those who ask whether it is ready', async () => {
    await using mirror = await serve();
    const reached = Promise.withResolvers<void>();
    const going = Promise.withResolvers<void>();
    mirror.source.fault = () => {
      reached.resolve();
      return going.promise;
    };
    const [busy, probe] = [await dial(mirror.server.port), await dial(mirror.server.port)];
    busy.write('GET /v2/app/tags/list HTTP/1.1\r\nHost: a\r\n\r\n');
    await reached.promise;
    const closing = mirror.server.close(60_000);
    probe.write('GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n');
    assert.match(await untilClosed(probe), /^HTTP\/1\.1 503 [^]*shutting down\n$/);
    const answer = untilClosed(busy);
    going.resolve();
    assert.match(await answer, /^HTTP\/1\.1 404 [^]*\r\nConnection: close\r\n/);
    assert.deepEqual(await closing, { cut: 0 });
  });

  test('breaks off what is not done by the deadline, and counts it', async () => {
    await using mirror = await serve();
    const never = Promise.withResolvers<void>();
    mirror.source.behave({ chunk: 1000, before: (at) => (at === 0 ? undefined : never.promise) });
    const digest = mirror.source.putBlob(REPOSITORY, Buffer.alloc(3000, 'x'));
    const busy = await dial(mirror.server.port);
    busy.write(`GET /v2/app/blobs/${digest} HTTP/1.1\r\nHost: a\r\n\r\n`);
    await until(busy, /x{1000}$/);
    const [first, second] = [mirror.server.close(1), mirror.server.close(60_000)];
    assert.deepEqual(await first, { cut: 1 });
    assert.deepEqual(await second, { cut: 1 });
    await untilClosed(busy);
    const [record] = await mirror.recorded(1);
    assert.equal(record?.outcome, 'cut');
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(mirror.source.open, 0);
  });
});

test('a port that is taken is an error with its code', async () => {
  await using mirror = await serve();
  const { port } = mirror.server;
  const app = {
    handle: () => undefined,
    refused: () => undefined,
    drain: () => undefined,
    cut: () => 0,
  };
  await assert.rejects(startServer({ app, listen: { host: '127.0.0.1', port } }), {
    code: 'EADDRINUSE',
  });
});

suite('TLS', () => {
  let folder = '';
  const files = new Map<string, Buffer>();
  const pem = (name: string): Buffer => files.get(name) ?? Buffer.alloc(0);

  before(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'layover-tls-'));
    await promisify(execFile)('sh', ['-ec', CERTIFICATES], { cwd: folder });
    for (const name of ['ca.pem', 'server.pem', 'server.key', 'client.pem', 'client.key']) {
      files.set(name, await readFile(path.join(folder, name)));
    }
  });
  after(() => rm(folder, { recursive: true, force: true }));

  const tls = () => ({ cert: pem('server.pem'), key: pem('server.key') });
  const session = (url: string): ClientHttp2Session => connect(url, { ca: pem('ca.pem') });

  interface Answer {
    readonly headers: Record<string, unknown>;
    readonly body: Buffer;
  }

  async function answerOf(stream: ClientHttp2Stream): Promise<Answer> {
    const [headers] = (await once(stream, 'response')) as [Record<string, unknown>];
    const chunks: Buffer[] = [];
    for await (const chunk of stream) chunks.push(chunk as Buffer);
    return { headers, body: Buffer.concat(chunks) };
  }

  test('a session of HTTP/2 has as many requests at a time as it was told, and no more', async () => {
    await using mirror = await serve({}, tls());
    const client = session(mirror.url);
    const [settings] = (await once(client, 'remoteSettings')) as [Settings];
    assert.equal(settings.maxConcurrentStreams, 128);
    client.close();
  });

  test('no tunnel leads through a session of HTTP/2', async () => {
    await using mirror = await serve({}, tls());
    const client = session(mirror.url);
    const { headers, body } = await answerOf(
      client.request({ ':method': 'CONNECT', ':authority': 'elsewhere:443' }, { endStream: true }),
    );
    assert.equal(headers[':status'], 405);
    assert.match(body.toString(), /"UNSUPPORTED"/);
    client.close();
  });

  test('serves HTTP/2, with several blobs at once', async () => {
    await using mirror = await serve({}, tls());
    mirror.source.behave({ by: 'pour', chunk: 1 << 20 });
    const bytes = Buffer.alloc(5 << 20, 'abcdefg');
    const digest = mirror.source.putBlob(REPOSITORY, bytes);
    const client = session(mirror.url);
    const ask = (headers = {}) =>
      answerOf(client.request({ ':path': `/v2/app/blobs/${digest}?ns=docker.io`, ...headers }));
    const answers = await Promise.all(Array.from({ length: 24 }, () => ask()));
    for (const { headers, body } of answers) {
      assert.equal(headers[':status'], 200);
      assert.equal(headers['docker-distribution-api-version'], 'registry/2.0');
      assert.ok(body.equals(bytes));
    }
    const part = await ask({ range: 'bytes=7-13' });
    assert.equal(part.headers[':status'], 206);
    assert.equal(part.body.toString(), 'abcdefg');
    const head = await ask({ ':method': 'HEAD' });
    assert.equal(head.headers['content-length'], `${bytes.length}`);
    const missing = await answerOf(client.request({ ':path': '/v2/app/manifests/absent' }));
    assert.equal(missing.headers[':status'], 404);
    const page = await answerOf(client.request({ ':path': '/livez' }));
    assert.equal(page.headers[':status'], 200);
    client.close();
    assert.equal(mirror.source.open, 0);
    const records = await mirror.recorded(28);
    assert.deepEqual(new Set(records.map(({ outcome }) => outcome)), new Set(['complete']));
  });

  test('resets an HTTP/2 stream whose blob fails, and leaves the others alone', async () => {
    await using mirror = await serve({}, tls());
    const before = (at: number) => {
      if (at >= 2000) throw new Error('upstream is gone');
    };
    mirror.source.behave({ chunk: 1000, before });
    const digest = mirror.source.putBlob(REPOSITORY, Buffer.alloc(10_000, 'x'));
    const client = session(mirror.url);
    const stream = client.request({ ':path': `/v2/app/blobs/${digest}` });
    await assert.rejects(answerOf(stream), { code: 'ERR_HTTP2_STREAM_ERROR' });
    const [record] = await mirror.recorded(1);
    assert.equal(record?.outcome, 'cut');
    const { headers } = await answerOf(client.request({ ':path': '/v2/' }));
    assert.equal(headers[':status'], 200);
    client.close();
  });

  test('disposes the blob of an HTTP/2 client that resets its stream', async () => {
    await using mirror = await serve({}, tls());
    const never = Promise.withResolvers<void>();
    mirror.source.behave({ chunk: 1000, before: (at) => (at === 0 ? undefined : never.promise) });
    const digest = mirror.source.putBlob(REPOSITORY, Buffer.alloc(10_000, 'x'));
    const client = session(mirror.url);
    const stream = client.request({ ':path': `/v2/app/blobs/${digest}` });
    await once(stream, 'data');
    stream.close(8);
    const [record] = await mirror.recorded(1);
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(record?.outcome, 'client-gone');
    assert.equal(mirror.source.open, 0);
    client.close();
  });

  test('lets HTTP/2 streams finish when it closes', async () => {
    await using mirror = await serve({}, tls());
    const going = Promise.withResolvers<void>();
    mirror.source.behave({ chunk: 1000, before: (at) => (at === 0 ? undefined : going.promise) });
    const digest = mirror.source.putBlob(REPOSITORY, Buffer.alloc(3000, 'x'));
    const client = session(mirror.url);
    const stream = client.request({ ':path': `/v2/app/blobs/${digest}` });
    const answer = answerOf(stream);
    await once(client, 'connect');
    await once(stream, 'response');
    const closing = mirror.server.close(60_000);
    await once(client, 'goaway');
    going.resolve();
    assert.equal((await answer).body.length, 3000);
    assert.deepEqual(await closing, { cut: 0 });
  });

  test('serves HTTP/1.1 to those who speak nothing newer', async () => {
    await using mirror = await serve({}, tls());
    const digest = mirror.source.putBlob(REPOSITORY, Buffer.alloc(300_000, 'x'));
    const [response] = (await once(
      get(`${mirror.url}/v2/app/blobs/${digest}`, { ca: pem('ca.pem') }),
      'response',
    )) as [IncomingMessage];
    assert.equal(response.httpVersion, '1.1');
    assert.equal(
      (await response.toArray()).reduce((sum, chunk) => sum + chunk.length, 0),
      300_000,
    );
  });

  test('with a CA for clients lets in those who have a certificate, and nobody else', async () => {
    await using mirror = await serve({}, { ...tls(), clientCa: pem('ca.pem') });
    const { port } = mirror.server;
    const options = { port, host: '127.0.0.1', ca: pem('ca.pem'), ALPNProtocols: ['http/1.1'] };
    const stranger = connectTls(options);
    stranger.on('error', () => undefined);
    stranger.write(PING);
    assert.equal(await untilClosed(stranger), '');
    const friend = connectTls({ ...options, cert: pem('client.pem'), key: pem('client.key') });
    friend.write(PING);
    await until(friend, /^HTTP\/1\.1 200 OK[^]*\{\}$/);
    friend.destroy();
  });
});

/** A CA, a server's certificate and a client's. */
const CERTIFICATES = `
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout ca.key -out ca.pem -days 2 -subj /CN=ca 2>/dev/null
for name in server client; do
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout $name.key -out $name.csr -subj /CN=$name 2>/dev/null
  printf 'subjectAltName=IP:127.0.0.1\n' > $name.ext
  openssl x509 -req -in $name.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile $name.ext -out $name.pem 2>/dev/null
done
`;
