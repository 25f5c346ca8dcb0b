import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect as connectHttp2 } from 'node:http2';
import type { Socket } from 'node:net';
import { suite, test } from 'node:test';
import { digestOf } from '../../src/core/digest.ts';
import { certificateAuthority } from '../fixtures/certificate.ts';
import { dial, until, untilClosed } from './raw.ts';
import { registry, type TestRegistry } from './registry.ts';

const BYTES = randomBytes(300_000);
const DIGEST = digestOf(BYTES);

async function started(here: TestRegistry): Promise<string> {
  const response = await fetch(`${here.url}/v2/own/app/blobs/uploads/`, { method: 'POST' });
  return response.headers.get('location') ?? '';
}

function head(method: string, path: string, ...fields: readonly string[]): string {
  return [`${method} ${path} HTTP/1.1`, 'Host: x', ...fields, '', ''].join('\r\n');
}

async function rangeOf(here: TestRegistry, path: string): Promise<string | null> {
  const response = await fetch(here.url + path);
  assert.equal(response.status, 204);
  return response.headers.get('range');
}

async function write(socket: Socket, bytes: Uint8Array): Promise<void> {
  if (!socket.write(bytes)) await once(socket, 'drain');
}

/** Sends the head for all of `BYTES`; once it settles the server is reading. */
async function begin(socket: Socket, method: string, path: string): Promise<void> {
  const asked = until(socket, /100 Continue\r\n\r\n/);
  socket.write(head(method, path, `Content-Length: ${BYTES.length}`, 'Expect: 100-continue'));
  await asked;
}

suite('a client that waits to be asked for the body', () => {
  const expecting = (path: string): string =>
    head('PUT', path, `Content-Length: ${BYTES.length}`, 'Expect: 100-continue');

  test('is asked, and the connection stays', async () => {
    await using here = await registry();
    const socket = await dial(here.server.port);
    socket.write(expecting(`${await started(here)}?digest=${DIGEST}`));
    assert.match(await until(socket, /\r\n\r\n/), /^HTTP\/1\.1 100 Continue\r\n\r\n$/);
    const answered = until(socket, /\r\n\r\n/);
    await write(socket, BYTES);
    assert.match(await answered, /^HTTP\/1\.1 201 /);
    const again = until(socket, /\r\n\r\n/);
    socket.write(head('GET', '/v2/own/app/tags/list'));
    assert.match(await again, /^HTTP\/1\.1 /);
    socket.destroy();
  });

  test('is told at once what is wrong, and not asked', async () => {
    await using here = await registry();
    const socket = await dial(here.server.port);
    socket.write(expecting(`/v2/own/app/blobs/uploads/none?digest=${DIGEST}`));
    const answer = await untilClosed(socket);
    assert.match(answer, /^HTTP\/1\.1 404 /);
    assert.match(answer, /BLOB_UPLOAD_UNKNOWN/);
  });
});

suite('a client that is refused while it sends', () => {
  test('reads why, although the rest was on its way', async () => {
    await using here = await registry();
    const socket = await dial(here.server.port);
    const answered = until(socket, /BLOB_UPLOAD_UNKNOWN/);
    const path = `/v2/own/app/blobs/uploads/none?digest=${DIGEST}`;
    socket.write(head('PUT', path, `Content-Length: ${BYTES.length}`));
    await write(socket, BYTES);
    assert.match(await answered, /^HTTP\/1\.1 404 /);
    const again = until(socket, /\r\n\r\n/);
    socket.write(head('GET', '/v2/'));
    assert.match(await again, /^HTTP\/1\.1 200 /);
    socket.destroy();
  });
});

suite('an upload whose client', () => {
  for (const [what, fields] of [
    ['dies', [`Content-Length: ${BYTES.length}`]],
    ['dies in a chunk', ['Transfer-Encoding: chunked']],
  ] as const) {
    test(`${what} keeps what came, and goes on over another connection`, async () => {
      await using here = await registry();
      const path = await started(here);
      const socket = await dial(here.server.port);
      const begun = BYTES.subarray(0, 100_000);
      const chunked = fields[0].startsWith('T');
      socket.write(head('PATCH', path, ...fields));
      if (chunked) socket.write(`${(200_000).toString(16)}\r\n`);
      await write(socket, begun);
      // A half-closed connection is read to its end before it is found wanting.
      socket.end();
      await untilClosed(socket);
      // The next request for the upload waits until the one before is over.
      const digest = digestOf(BYTES);
      const again = await fetch(here.url + path, {
        method: 'PATCH',
        body: new Uint8Array(BYTES.subarray(begun.length)),
        headers: { 'content-range': `${begun.length}-${BYTES.length - 1}` },
      });
      assert.equal(again.status, 202);
      const done = await fetch(`${here.url}${path}?digest=${digest}`, { method: 'PUT' });
      assert.equal(done.status, 201);
    });
  }

  test('falls silent is cut, so that it holds nobody up', async () => {
    await using here = await registry({ app: { silence: 50 } });
    const path = await started(here);
    const socket = await dial(here.server.port);
    socket.write(head('PATCH', path, `Content-Length: ${BYTES.length}`));
    await write(socket, BYTES.subarray(0, 1000));
    assert.equal(await untilClosed(socket), '');
    assert.equal(await rangeOf(here, path), '0-999');
    const record = (await here.recorded(2)).find(({ method }) => method === 'PATCH');
    assert.equal(record?.outcome, 'cut');
  });

  test('falls silent is cut at once when another connection goes on where it stands', async () => {
    await using here = await registry();
    const path = await started(here);
    const socket = await dial(here.server.port);
    await begin(socket, 'PATCH', path);
    await write(socket, BYTES.subarray(0, 1000));
    while ((await rangeOf(here, path)) !== '0-999');
    const send = (from: number) =>
      fetch(here.url + path, {
        method: 'PATCH',
        body: new Uint8Array(BYTES.subarray(from)),
        headers: { 'content-range': `${from}-${BYTES.length - 1}` },
      });
    const refused = await send(500);
    assert.deepEqual([refused.status, refused.headers.get('range')], [416, '0-999']);
    const ended = untilClosed(socket);
    assert.equal((await send(1000)).status, 202);
    assert.equal(await ended, '');
    const done = await fetch(`${here.url}${path}?digest=${DIGEST}`, { method: 'PUT' });
    assert.equal(done.status, 201);
    const cut = (await here.recorded(4)).filter(({ outcome }) => outcome === 'cut');
    assert.deepEqual(
      cut.map(({ method, path: at }) => [method, at]),
      [['PATCH', path]],
    );
  });

  test('is slow, but sends, is waited for', async () => {
    await using here = await registry({ app: { silence: 400 } });
    const path = await started(here);
    const socket = await dial(here.server.port);
    const answered = until(socket, /\r\n\r\n/);
    socket.write(head('PATCH', path, 'Content-Length: 8'));
    for (const letter of 'slowness') {
      await new Promise((resolve) => setTimeout(resolve, 100));
      await write(socket, Buffer.from(letter));
    }
    assert.match(await answered, /^HTTP\/1\.1 202 [^]*Range: 0-7\r\n/);
    socket.destroy();
  });

  test('cancels from elsewhere is told', async () => {
    await using here = await registry();
    const path = await started(here);
    const socket = await dial(here.server.port);
    await begin(socket, 'PATCH', path);
    const answered = until(socket, /\r\n\r\n/);
    await write(socket, BYTES.subarray(0, 1000));
    const cancelled = await fetch(here.url + path, { method: 'DELETE' });
    assert.equal(cancelled.status, 204);
    await write(socket, BYTES.subarray(1000));
    assert.match(await answered, /^HTTP\/1\.1 404 /);
    socket.destroy();
  });
});

test('a server that ends lets a push that is under way come to its end', async () => {
  await using here = await registry();
  const path = await started(here);
  const socket = await dial(here.server.port);
  await begin(socket, 'PUT', `${path}?digest=${DIGEST}`);
  await write(socket, BYTES.subarray(0, 1000));
  const ended = untilClosed(socket);
  const closed = here.server.close(30_000);
  await write(socket, BYTES.subarray(1000));
  assert.match(await ended, /^HTTP\/1\.1 201 [^]*Connection: close/);
  assert.deepEqual(await closed, { cut: 0 });
});

/** A registry, and a client's one connection to it, which speaks HTTP/2. */
async function overHttp2() {
  await using stack = new AsyncDisposableStack();
  const authority = certificateAuthority();
  const { cert, key } = authority.issue('localhost');
  const here = stack.use(await registry({ tls: { cert, key } }));
  const session = connectHttp2(here.url, { ca: authority.ca, servername: 'localhost' });
  stack.defer(() => session.close());
  const whole = stack.move();
  return {
    session,
    ask: async (fields: Record<string, string>, body?: Uint8Array) => {
      const stream = session.request(fields);
      stream.end(body);
      const [answer] = (await once(stream, 'response')) as [Record<string, string>];
      stream.resume();
      await once(stream, 'close');
      return answer;
    },
    [Symbol.asyncDispose]: () => whole.disposeAsync(),
  };
}

test('pushes come over HTTP/2 as well', async () => {
  await using client = await overHttp2();
  const { ask } = client;
  const begun = await ask({ ':method': 'POST', ':path': '/v2/own/app/blobs/uploads/' });
  assert.equal(begun[':status'], 202);
  const path = begun['location'] ?? '';
  const sent = await ask({ ':method': 'PATCH', ':path': path }, BYTES);
  assert.equal(sent['range'], `0-${BYTES.length - 1}`);
  const refused = await ask({ ':method': 'PATCH', ':path': `${path}0` }, BYTES);
  assert.equal(refused[':status'], 404);
  const done = await ask({ ':method': 'PUT', ':path': `${path}?digest=${DIGEST}` });
  assert.equal(done[':status'], 201);
});

test('over HTTP/2 a silent stream is cut as well when another one goes on where it stands', async () => {
  await using client = await overHttp2();
  const { session, ask } = client;
  const path = (await ask({ ':method': 'POST', ':path': '/v2/own/app/blobs/uploads/' }))[
    'location'
  ];
  const upload = { ':method': 'PATCH', ':path': path ?? '' };
  const silent = session.request(upload);
  silent.on('error', () => undefined);
  const closed = new Promise((resolve) => silent.once('close', resolve));
  silent.write(BYTES.subarray(0, 1000));
  const look = { ':method': 'GET', ':path': path ?? '' };
  while ((await ask(look))['range'] !== '0-999');
  const range = `1000-${BYTES.length - 1}`;
  const sent = await ask({ ...upload, 'content-range': range }, BYTES.subarray(1000));
  assert.equal(sent[':status'], 202);
  await closed;
  assert.notEqual(silent.rstCode, 0);
  const done = await ask({ ':method': 'PUT', ':path': `${path}?digest=${DIGEST}` });
  assert.equal(done[':status'], 201);
});
