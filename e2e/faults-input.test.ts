import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { exchange } from '../test/http/raw.ts';
import { badWorld, blobPath, manifestPath, type BadWorld } from './lib/bad-world.ts';
import type { Layover } from './lib/layover.ts';
import { errorCode, pull } from './lib/pull.ts';
import { visible } from './lib/stored.ts';

const MiB = 1024 * 1024;
const DIGEST = `sha256:${'a'.repeat(64)}`;

suite('bad input', () => {
  let here: BadWorld;
  let server: Layover;
  before(async () => {
    here = await badWorld();
    server = await here.serve();
  });
  after(async () => {
    await server?.[Symbol.asyncDispose]();
    await here?.[Symbol.asyncDispose]();
  });

  /** Nobody was asked and nothing is kept. */
  const untouched = async (): Promise<void> => {
    assert.deepEqual(here.upstream.requests, []);
    assert.deepEqual(await visible(here.store), []);
    assert.deepEqual(await readdir(join(here.store, 'ingest')), []);
    assert.deepEqual(await readdir(join(here.store, 'repositories')), []);
  };

  const refused: readonly (readonly [string, number, string])[] = [
    ['/v2/library/UPPER/manifests/v1', 400, 'NAME_INVALID'],
    ['/v2/a//b/manifests/v1', 400, 'NAME_INVALID'],
    ['/v2/-a/manifests/v1', 400, 'NAME_INVALID'],
    ['/v2/a_/manifests/v1', 400, 'NAME_INVALID'],
    [`/v2/${'a/'.repeat(200)}a/manifests/v1`, 400, 'NAME_INVALID'],
    ['/v2/_tags/manifests/v1', 400, 'NAME_INVALID'],
    ['/v2/library/app/_links/manifests/v1', 400, 'NAME_INVALID'],
    ['/v2/../../etc/manifests/passwd', 400, 'NAME_INVALID'],
    ['/v2/docker.io/../x/manifests/v1', 400, 'NAME_INVALID'],
    ['/v2/library/%2e%2e/manifests/v1', 400, 'NAME_INVALID'],
    ['/v2/library%2fapp/manifests/v1', 400, 'NAME_INVALID'],
    ['/v2/library/app/manifests/..%2f..%2flock', 400, 'NAME_INVALID'],
    ['/v2/library/app%00/manifests/v1', 400, 'NAME_INVALID'],
    ['/v2/library/%ff/manifests/v1', 400, 'NAME_INVALID'],
    ['/v2/library/app/manifests/..', 400, 'TAG_INVALID'],
    ['/v2/library/app/manifests/-v1', 400, 'TAG_INVALID'],
    [`/v2/library/app/manifests/${'v'.repeat(129)}`, 400, 'TAG_INVALID'],
    ['/v2/library/app/manifests/sha256:short', 400, 'DIGEST_INVALID'],
    [`/v2/library/app/blobs/${DIGEST.toUpperCase()}`, 400, 'DIGEST_INVALID'],
    [`/v2/library/app/blobs/md5:${'a'.repeat(32)}`, 400, 'DIGEST_INVALID'],
    ['/v2/library/app/blobs/sha256:..%5c..%5clock', 400, 'NAME_INVALID'],
    ['/v2/library/app/referrers/v1', 400, 'DIGEST_INVALID'],
    ['/v2/library/app/tags/list?n=-1', 400, 'PAGINATION_NUMBER_INVALID'],
    ['/v2/library/app/manifests/v1?ns=', 400, 'NAME_INVALID'],
    ['/v2/library/app/manifests/v1?ns=docker.io&ns=docker.io', 400, 'NAME_INVALID'],
    ['/v2/library/app/manifests/v1?ns=../..', 400, 'NAME_INVALID'],
    ['/v2/library/app/manifests/v1?ns=http://127.0.0.1', 400, 'NAME_INVALID'],
    ['/v2/library/app/manifests/v1?ns=127.0.0.1:1', 404, 'NAME_UNKNOWN'],
    ['/v2/library/app/manifests/v1?ns=169.254.169.254', 404, 'NAME_UNKNOWN'],
    ['/v2/169.254.169.254/latest/manifests/v1', 404, 'NAME_UNKNOWN'],
    ['/v2/localhost/app/manifests/v1', 404, 'NAME_UNKNOWN'],
  ];
  for (const [path, status, code] of refused) {
    test(`${path.slice(0, 70)} is ${status} ${code}`, async () => {
      // By hand: a well-behaved client would tidy the path up.
      const answer = await exchange(
        server.port,
        `GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`,
      );
      const [head = '', body = ''] = answer.split('\r\n\r\n');
      assert.match(head, new RegExp(`^HTTP/1\\.1 ${status} `));
      assert.match(head, /\r\nContent-Type: application\/json/i);
      assert.equal(JSON.parse(body).errors[0].code, code);
      await untouched();
    });
  }

  for (const host of ['127.0.0.1:1', 'registry.example']) {
    test(`X-Registry: ${host} is a name that is not known, not an address`, async () => {
      const headers = { 'x-registry': host };
      const answer = await pull(`${server.url}/v2/library/app/manifests/v1`, { headers });
      assert.equal(answer.status, 404);
      assert.equal(errorCode(answer), 'NAME_UNKNOWN');
      await untouched();
    });
  }

  for (const method of ['POST', 'PUT', 'PATCH', 'DELETE']) {
    test(`${method} is 405`, async () => {
      const answer = await pull(`${server.url}/v2/library/app/manifests/v1`, { method });
      assert.equal(answer.status, 405);
      assert.equal(errorCode(answer), 'UNSUPPORTED');
      await untouched();
    });
  }

  const SMUGGLED = 'GET /v2/library/app/manifests/smuggled HTTP/1.1\r\nHost: a\r\n\r\n';
  for (const [what, text, status] of [
    [
      'a megabyte of URL',
      `GET /v2/${'a'.repeat(MiB)}/manifests/v1 HTTP/1.1\r\nHost: a\r\n\r\n`,
      414,
    ],
    [
      'two kinds of length',
      `GET /v2/ HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${SMUGGLED}`,
      400,
    ],
    [
      'two lengths',
      `GET /v2/ HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nContent-Length: ${SMUGGLED.length}\r\n\r\n${SMUGGLED}`,
      400,
    ],
    ['two hosts', 'GET /v2/ HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n', 400],
  ] as const) {
    test(`${what}: ${status}, one answer, and nothing behind it is read`, async () => {
      const answer = await exchange(server.port, text);
      assert.match(answer, new RegExp(`^HTTP/1\\.1 ${status} `));
      assert.equal(answer.match(/HTTP\/1\.1 /g)?.length, 1);
      assert.match(answer, /"errors":\[\{"code"/);
      await untouched();
    });
  }
});

suite('manifests that are too large', () => {
  for (const [what, length] of [
    ['of five MiB', 'told'],
    ['of five MiB, its length untold', 'untold'],
  ] as const) {
    test(`one ${what} is 502, and not kept`, async () => {
      await using here = await badWorld();
      const manifest = here.upstream.addManifest('library/app', 'v1', {
        schemaVersion: 2,
        manifests: [],
        annotations: { padding: 'x'.repeat(5 * MiB) },
      });
      if (length === 'untold') {
        const set = { 'content-length': undefined };
        here.upstream.misbehave({ path: /manifests/ }, { kind: 'headers', set });
      }
      await using server = await here.serve();
      for (const at of ['v1', manifest.digest]) {
        const answer = await pull(server.url + manifestPath('library/app', at));
        assert.equal(answer.status, 502);
        assert.equal(errorCode(answer), 'UPSTREAM_INVALID');
      }
      assert.deepEqual(await visible(here.store), []);
    });
  }

  test('one without end is 502 after a little more than the largest there may be', async () => {
    await using here = await badWorld();
    let written = 0;
    const endless = createServer((_request, response) => {
      response.writeHead(200, { 'content-type': 'application/vnd.oci.image.index.v1+json' });
      const more = (): void => {
        if (response.destroyed || written > 200 * MiB) return void response.destroy();
        written += 64 * 1024;
        response.write(Buffer.alloc(64 * 1024, ' '), more);
      };
      more();
    });
    endless.listen(0, '127.0.0.1');
    await once(endless, 'listening');
    try {
      const { port } = endless.address() as AddressInfo;
      const upstreams = { 'docker.io': { url: `http://127.0.0.1:${port}` } };
      await using server = await here.serve({ upstreams });
      const answer = await pull(server.url + manifestPath('library/app', DIGEST));
      assert.equal(answer.status, 502);
      assert.equal(errorCode(answer), 'UPSTREAM_INVALID');
      assert.ok(written < 100 * MiB, `${written} bytes were taken`);
      assert.deepEqual(await visible(here.store), []);
    } finally {
      endless.close();
      endless.closeAllConnections();
    }
  });

  test('one of 4 MiB exactly is served', async () => {
    await using here = await badWorld();
    const frame = { schemaVersion: 2, manifests: [], annotations: { padding: '' } };
    const left = 4 * MiB - JSON.stringify(frame).length;
    const value = { ...frame, annotations: { padding: 'x'.repeat(left) } };
    const { digest } = here.upstream.addManifest('library/app', 'v1', value);
    await using server = await here.serve();
    const answer = await pull(server.url + manifestPath('library/app', 'v1'));
    assert.equal(answer.status, 200);
    assert.equal(answer.body.length, 4 * MiB);
    assert.equal(answer.headers['docker-content-digest'], digest);
  });
});

test('ranges that make no sense: 416, or the whole blob, and never wrong bytes', async () => {
  await using here = await badWorld();
  const digest = here.upstream.addBlob('0123456789');
  await using server = await here.serve();
  const url = server.url + blobPath('library/app', digest);
  for (const range of ['bytes=10-', 'bytes=99-100', 'bytes=-0', 'bytes=5-4']) {
    const answer = await pull(url, { headers: { range } });
    assert.equal(answer.status, 416, range);
    assert.equal(errorCode(answer), 'RANGE_INVALID');
    assert.equal(answer.headers['content-range'], 'bytes */10');
  }
  for (const range of ['bytes=a-b', 'lines=1-2', 'bytes', 'bytes=', 'bytes=1-2-3']) {
    const answer = await pull(url, { headers: { range } });
    assert.equal(answer.status, 200, range);
    assert.equal(answer.body.toString(), '0123456789');
  }
});
