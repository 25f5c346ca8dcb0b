import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { suite, test } from 'node:test';
import { dial, until, untilClosed } from './raw.ts';
import { serve, type Served } from './serve.ts';

const REPOSITORY = { host: 'docker.io', path: 'library/app' };

/** Serves one blob and asks for it on a socket of its own. */
async function asked(size: number): Promise<{ mirror: Served; request: string; url: string }> {
  const mirror = await serve();
  const digest = mirror.source.putBlob(REPOSITORY, Buffer.alloc(size, 'x'));
  const path = `/v2/app/blobs/${digest}`;
  return {
    mirror,
    request: `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`,
    url: mirror.url + path,
  };
}

for (const by of ['body', 'pour'] as const) {
  suite(`a blob by ${by}`, () => {
    test('that fails half-way is cut, never ended', async () => {
      const { mirror, request, url } = await asked(10_000);
      await using _ = mirror;
      const fault = new Error('upstream is gone');
      const before = (at: number) => {
        if (at >= 4000) throw fault;
      };
      mirror.source.behave({ by, chunk: 1000, before });
      const socket = await dial(mirror.server.port);
      socket.write(request);
      const answer = await untilClosed(socket);
      assert.match(answer, /\r\nContent-Length: 10000\r\n/);
      assert.match(answer, /\r\n\r\nx{4000}$/);
      await assert.rejects(fetch(url).then((response) => response.arrayBuffer()));
      const [record] = await mirror.recorded(1);
      assert.equal(record?.outcome, 'cut');
      assert.equal(record?.bytes, 4000);
      assert.equal(record?.failure?.cause, fault);
      assert.equal(mirror.source.open, 0);
    });

    test('that ends short is cut as well', async () => {
      const { mirror, url } = await asked(10_000);
      await using _ = mirror;
      mirror.source.behave({ by, chunk: 1000, shortAt: 4000 });
      await assert.rejects(fetch(url).then((response) => response.arrayBuffer()));
      const [record] = await mirror.recorded(1);
      assert.equal(record?.outcome, 'cut');
      assert.equal(mirror.source.open, 0);
    });

    test('that holds more than it said is cut, and no client sees the rest', async () => {
      const { mirror, request } = await asked(10_000);
      await using _ = mirror;
      mirror.source.behave({ by, chunk: 1000 });
      const honest = mirror.source.blob.bind(mirror.source);
      mirror.source.blob = async (repository, digest) => ({
        ...(await honest(repository, digest)),
        span: { start: 0, end: 3500 },
      });
      const socket = await dial(mirror.server.port);
      socket.write(request);
      assert.match(await untilClosed(socket), /\r\nContent-Length: 3500\r\n[^]*\r\n\r\nx{3000}$/);
      const [record] = await mirror.recorded(1);
      assert.equal(record?.outcome, 'cut');
    });

    test('has its head sent before its first byte is there', async () => {
      const { mirror, request } = await asked(10_000);
      await using _ = mirror;
      const first = Promise.withResolvers<void>();
      mirror.source.behave({ by, before: () => first.promise });
      const socket = await dial(mirror.server.port);
      socket.write(request);
      await until(socket, /Content-Length: 10000\r\n[^]*\r\n\r\n$/);
      const rest = until(socket, /^x{10000}$/);
      first.resolve();
      await rest;
      socket.destroy();
    });

    test('is disposed at once when the client leaves, whatever it waits for', async () => {
      const { mirror, request } = await asked(10_000);
      await using _ = mirror;
      const never = Promise.withResolvers<void>();
      mirror.source.behave({
        by,
        chunk: 1000,
        before: (at) => (at < 2000 ? undefined : never.promise),
      });
      const socket = await dial(mirror.server.port);
      socket.write(request);
      await until(socket, /x{2000}$/);
      assert.equal(mirror.source.open, 1);
      socket.destroy();
      const [record] = await mirror.recorded(1);
      // The record is of the same moment; disposing is what happens next.
      await new Promise((resolve) => setImmediate(resolve));
      assert.equal(mirror.source.open, 0);
      assert.equal(record?.outcome, 'client-gone');
      assert.equal(record?.failure, undefined);
      assert.equal(record?.bytes, 2000);
    });

    test('that comes too late for its client is disposed unread', async () => {
      const { mirror, request } = await asked(10_000);
      await using _ = mirror;
      const reached = Promise.withResolvers<void>();
      const opened = Promise.withResolvers<void>();
      mirror.source.fault = () => {
        reached.resolve();
        return opened.promise;
      };
      const socket = await dial(mirror.server.port);
      socket.write(request);
      await reached.promise;
      socket.destroy();
      const [record] = await mirror.recorded(1);
      assert.equal(record?.status, 499);
      opened.resolve();
      await new Promise((resolve) => setImmediate(resolve));
      assert.match(mirror.source.calls.join(), /^blob /);
      assert.equal(mirror.source.open, 0);
    });
  });
}

test('what waits behind another answer is never begun when its client leaves', async () => {
  const { mirror, request } = await asked(10_000);
  await using _ = mirror;
  const never = Promise.withResolvers<void>();
  mirror.source.behave({ chunk: 1000, before: () => never.promise });
  const socket = await dial(mirror.server.port);
  const parts = request.replace('Host: a', 'Host: a\r\nRange: bytes=0-9,20-29');
  socket.write(request + parts);
  await until(socket, /\r\n\r\n/);
  assert.equal(mirror.source.open, 1);
  socket.destroy();
  await mirror.recorded(1);
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(mirror.source.open, 0);
  assert.equal(mirror.source.calls.filter((call) => call.startsWith('blob ')).length, 1);
});

test('reused buffers reach slow clients unharmed', async () => {
  await using mirror = await serve();
  mirror.source.behave({ by: 'pour', chunk: 1 << 20 });
  const bytes = randomBytes(24 << 20);
  const digest = mirror.source.putBlob(REPOSITORY, bytes);
  const socket = await dial(mirror.server.port);
  socket.write(`GET /v2/app/blobs/${digest} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`);
  const chunks: Buffer[] = [];
  // Reading stops and starts, so that the server's socket is full most of the time.
  socket.on('data', (chunk: Buffer) => {
    chunks.push(chunk);
    socket.pause();
    setImmediate(() => socket.resume());
  });
  await once(socket, 'close');
  const answer = Buffer.concat(chunks);
  assert.ok(answer.subarray(answer.indexOf('\r\n\r\n') + 4).equals(bytes));
});

test('a stalled client holds one chunk and no more', async () => {
  await using mirror = await serve();
  let position = 0;
  mirror.source.behave({ by: 'pour', chunk: 1 << 20, before: (at) => void (position = at) });
  const digest = mirror.source.putBlob(REPOSITORY, Buffer.alloc(64 << 20));
  const socket = await dial(mirror.server.port);
  socket.pause();
  socket.write(`GET /v2/app/blobs/${digest} HTTP/1.1\r\nHost: a\r\n\r\n`);
  // Another request comes through all the while: what it takes is time enough.
  for (let round = 0; round < 20; round += 1) await fetch(`${mirror.url}/livez`);
  assert.ok(position > 0 && position < 32 << 20, `${position}`);
  socket.destroy();
  await mirror.recorded(21);
  assert.equal(mirror.source.open, 0);
});
