import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { dial, exchange, until, untilClosed } from './raw.ts';
import { serve } from './serve.ts';

const PING = 'GET /v2/ HTTP/1.1\r\nHost: a\r\n\r\n';

function bodyOf(answer: string): { errors: { code: string }[] } {
  const [head = '', body = ''] = answer.split('\r\n\r\n');
  assert.match(head, new RegExp(`\r\nContent-Length: ${body.length}(\r\n|$)`));
  assert.match(head, /\r\nContent-Type: application\/json/);
  return JSON.parse(body) as { errors: { code: string }[] };
}

const SMUGGLED: readonly (readonly [string, string])[] = [
  [
    'two kinds of length',
    'GET /v2/ HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  ],
  [
    'two lengths',
    'GET /v2/ HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab',
  ],
  ['a bare CR in a header', 'GET /v2/ HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n'],
  ['a zero in a header', 'GET /v2/ HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n'],
  ['a blank before the colon', 'GET /v2/ HTTP/1.1\r\nHost : a\r\n\r\n'],
  ['a folded header', 'GET /v2/ HTTP/1.1\r\n Host: a\r\n\r\n'],
  ['an obscure coding', 'GET /v2/ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n'],
  ['no HTTP', 'hello\r\n\r\n'],
  ['a blank in the path', 'GET /v2/ x HTTP/1.1\r\nHost: a\r\n\r\n'],
  ['no host', 'GET /v2/ HTTP/1.1\r\n\r\n'],
  ['two hosts', 'GET /v2/ HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n'],
];

suite('on the wire', () => {
  for (const [what, text] of SMUGGLED) {
    test(`${what} is 400 with an error document, and the connection is closed`, async () => {
      await using mirror = await serve();
      const answer = await exchange(mirror.server.port, text);
      assert.match(answer, /^HTTP\/1\.1 400 Bad Request\r\n/);
      assert.equal(bodyOf(answer).errors[0]?.code, 'REQUEST_INVALID');
      assert.deepEqual(mirror.source.calls, []);
      const [record] = await mirror.recorded(1);
      assert.deepEqual([record?.status, record?.failure?.code], [400, 'REQUEST_INVALID']);
      const counted =
        /layover_http_requests_total\{route="other",method="(?:GET|other)",code="400"\} 1\n/;
      assert.ok(counted.test(await mirror.metrics.render()));
    });
  }

  for (const [what, status, code, text] of [
    [
      'a URL of a megabyte',
      414,
      'URI_TOO_LONG',
      `GET /v2/${'a'.repeat(1 << 20)} HTTP/1.1\r\nHost: a\r\n\r\n`,
    ],
    [
      'a header of a megabyte',
      431,
      'REQUEST_INVALID',
      `GET /v2/ HTTP/1.1\r\nHost: a\r\nX: ${'a'.repeat(1 << 20)}\r\n\r\n`,
    ],
  ] as const) {
    test(`${what} is refused with an answer that the client gets to read`, async () => {
      await using mirror = await serve();
      const answer = await exchange(mirror.server.port, text);
      assert.ok(answer.startsWith(`HTTP/1.1 ${status} `));
      assert.equal(bodyOf(answer).errors[0]?.code, code);
      assert.deepEqual(mirror.source.calls, []);
      assert.equal((await mirror.recorded(1))[0]?.status, status);
    });
  }

  test('a client that reads only when it has written all gets its refusal too', async () => {
    await using mirror = await serve();
    const socket = await dial(mirror.server.port);
    socket.pause();
    const closed = untilClosed(socket);
    socket.pause();
    socket.write('GET /v2/');
    // Far more than the sockets between them can hold, so that somebody has to read it.
    for (let part = 0; part < 128; part += 1) {
      await new Promise((resolve) => socket.write('a'.repeat(1 << 17), resolve));
    }
    socket.resume();
    assert.match(await closed, /^HTTP\/1\.1 414 /);
  });

  test('dots and encoded slashes arrive as they are, and are refused', async () => {
    await using mirror = await serve();
    for (const name of ['a/../b', '..', '.', 'a%2fb', '%2e%2e/x', 'a\\b']) {
      const answer = await exchange(
        mirror.server.port,
        `GET /v2/${name}/manifests/v1 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`,
      );
      assert.match(answer, /^HTTP\/1\.1 400 /, name);
      assert.equal(bodyOf(answer).errors[0]?.code, 'NAME_INVALID', name);
    }
    assert.deepEqual(mirror.source.calls, []);
  });

  test('a body with GET is ignored and the connection goes on', async () => {
    await using mirror = await serve();
    const socket = await dial(mirror.server.port);
    socket.write(
      'GET /v2/ HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nGET GET /v2 HTTP/1.1\r\nHost: a\r\n\r\n',
    );
    const answers = await until(socket, /\{\}[^]*\{\}$/);
    assert.equal(answers.match(/HTTP\/1\.1 200 OK/g)?.length, 2);
    socket.destroy();
  });

  test('pipelined requests are answered in order', async () => {
    await using mirror = await serve();
    const digest = mirror.source.putBlob(
      { host: 'docker.io', path: 'library/app' },
      Buffer.alloc(300_000, 'x'),
    );
    const socket = await dial(mirror.server.port);
    const blob = `GET /v2/app/blobs/${digest} HTTP/1.1\r\nHost: a\r\n\r\n`;
    socket.write(`${blob}${blob.replace('GET', 'HEAD')}${blob}${PING}`);
    const answers = await until(socket, /\{\}$/);
    assert.equal(answers.match(/x+/g)?.filter((run) => run.length === 300_000).length, 2);
    assert.equal(answers.match(/HTTP\/1\.1 200 OK/g)?.length, 4);
    socket.destroy();
  });

  test('a pipelined request is begun when those before it have been answered', async () => {
    await using mirror = await serve();
    const [reached, going] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    mirror.source.fault = () => {
      reached.resolve();
      return going.promise;
    };
    const socket = await dial(mirror.server.port);
    const tags = 'GET /v2/app/tags/list HTTP/1.1\r\nHost: a\r\n\r\n';
    socket.write(tags.repeat(100));
    await reached.promise;
    // What has been read by now would have been begun by now.
    const other = await dial(mirror.server.port);
    other.write(PING);
    await until(other, /\{\}$/);
    assert.equal(mirror.source.calls.length, 1);
    going.resolve();
    assert.equal((await mirror.recorded(101)).length, 101);
    assert.equal(mirror.source.calls.length, 100);
    for (const open of [socket, other]) open.destroy();
  });

  test('a client that sends request after request and reads no answer is cut', async () => {
    await using mirror = await serve();
    const going = Promise.withResolvers<void>();
    mirror.source.fault = () => going.promise;
    const socket = await dial(mirror.server.port);
    socket.write('GET /v2/app/tags/list HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(200));
    assert.equal(await untilClosed(socket), '');
    assert.equal(mirror.source.calls.length, 1);
    going.resolve();
    assert.equal((await mirror.recorded(1)).length, 1);
  });

  test('expectations that are none of ours are passed over, and targets that are no path refused', async () => {
    await using mirror = await serve();
    const ask = (line: string, more = ''): Promise<string> =>
      exchange(
        mirror.server.port,
        `${line} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n${more}\r\n`,
      );
    assert.match(await ask('GET /v2/', 'Expect: the-best\r\n'), /^HTTP\/1\.1 200 [^]*\{\}$/);
    const refused = await ask('OPTIONS *');
    assert.match(refused, /^HTTP\/1\.1 400 /);
    assert.equal(bodyOf(refused).errors[0]?.code, 'REQUEST_INVALID');
  });

  test('an answer that no head can be made of is an error, and not waited for', async () => {
    await using mirror = await serve();
    const repository = { host: 'docker.io', path: 'library/app' };
    const { descriptor } = mirror.source.putManifest(repository, { layers: [] }, 'v1');
    Object.assign(descriptor, { mediaType: 'application/\u20ac' });
    const request = 'GET /v2/app/manifests/v1 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n';
    const answer = await exchange(mirror.server.port, request);
    assert.match(answer, /^HTTP\/1\.1 500 /);
    assert.equal(bodyOf(answer).errors[0]?.code, 'UNKNOWN');
  });

  test('no tunnel leads through here', async () => {
    await using mirror = await serve();
    const { port } = mirror.server;
    const refused = await exchange(
      port,
      'CONNECT elsewhere:443 HTTP/1.1\r\nHost: elsewhere:443\r\n\r\n',
    );
    assert.match(refused, /^HTTP\/1\.1 405 [^]*\r\nAllow: GET, HEAD\r\n/);
    assert.equal(bodyOf(refused).errors[0]?.code, 'UNSUPPORTED');
    const [record] = await mirror.recorded(1);
    assert.deepEqual([record?.method, record?.path], ['CONNECT', 'elsewhere:443']);
  });

  for (const path of ['/v2\\x', '/foo\\x']) {
    test(`${path} is refused with an error document`, async () => {
      await using mirror = await serve();
      const request = `GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`;
      const answer = await exchange(mirror.server.port, request);
      assert.match(answer, /^HTTP\/1\.1 400 /);
      assert.match(answer, /"code":"REQUEST_INVALID"/);
      const [record] = await mirror.recorded(1);
      assert.equal(record?.failure?.code, 'REQUEST_INVALID');
    });
  }

  test('a client that asks before it sends a body is told not to', async () => {
    await using mirror = await serve();
    const answer = await exchange(
      mirror.server.port,
      'PUT /v2/app/manifests/v1 HTTP/1.1\r\nHost: a\r\nContent-Length: 9999\r\nExpect: 100-continue\r\n\r\n',
    );
    assert.match(answer, /^HTTP\/1\.1 405 /);
    assert.match(answer, /\r\nConnection: close\r\n/);
    assert.equal(bodyOf(answer).errors[0]?.code, 'UNSUPPORTED');
  });

  test('HTTP/1.0 is answered, without a host too', async () => {
    await using mirror = await serve();
    const answer = await exchange(mirror.server.port, 'GET /v2/ HTTP/1.0\r\n\r\n');
    assert.match(answer, /^HTTP\/1\.1 200 OK\r\n[^]*\{\}$/);
  });

  test('garbage behind half an answer cuts it, and adds nothing to it', async () => {
    await using mirror = await serve();
    const going = Promise.withResolvers<void>();
    mirror.source.behave({ chunk: 1000, before: (at) => (at === 0 ? undefined : going.promise) });
    const repository = { host: 'docker.io', path: 'library/app' };
    const digest = mirror.source.putBlob(repository, Buffer.alloc(3000, 'x'));
    const socket = await dial(mirror.server.port);
    socket.write(`GET /v2/app/blobs/${digest} HTTP/1.1\r\nHost: a\r\n\r\n`);
    await until(socket, /x{1000}$/);
    socket.write('garbage\r\n\r\n');
    assert.equal(await untilClosed(socket), '');
    going.resolve();
  });
});
