import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { suite, test } from 'node:test';
import { RegistryError } from '../../src/core/errors.ts';
import type { BlobManner } from '../fixtures/memory-source.ts';
import { serve, type Served } from './serve.ts';

const REPOSITORY = { host: 'docker.io', path: 'library/app' };
const BYTES = randomBytes(200_000);

async function served(manner: Partial<BlobManner> = {}): Promise<Served & { blob: string }> {
  const mirror = await serve();
  mirror.source.behave({ chunk: 7_000, ...manner });
  const digest = mirror.source.putBlob(REPOSITORY, BYTES);
  return { ...mirror, blob: `${mirror.url}/v2/app/blobs/${digest}` };
}

async function bytesOf(response: Response): Promise<Buffer> {
  return Buffer.from(await response.arrayBuffer());
}

interface Part {
  readonly range: string;
  readonly bytes: Buffer;
}

/** Reads a multipart/byteranges body to the letter of RFC 2046. */
function partsOf(contentType: string, body: Buffer): readonly Part[] {
  const boundary = /^multipart\/byteranges; boundary=(\S+)$/.exec(contentType)?.[1];
  assert.ok(boundary);
  const parts: Part[] = [];
  let position = 0;
  for (;;) {
    const line: string = `${parts.length === 0 ? '' : '\r\n'}--${boundary}`;
    assert.equal(body.toString('latin1', position, position + line.length), line);
    position += line.length;
    if (body.toString('latin1', position) === '--\r\n') return parts;
    const end = body.indexOf('\r\n\r\n', position) + 4;
    const head = body.toString('latin1', position, end);
    assert.match(head, /\r\nContent-Type: application\/octet-stream\r\n/);
    const [, range = '', first, last] =
      /Content-Range: (bytes (\d+)-(\d+)\/\d+)\r\n/.exec(head) ?? [];
    position = end + Number(last) - Number(first) + 1;
    parts.push({ range, bytes: body.subarray(end, position) });
  }
}

suite('a blob', () => {
  for (const by of ['body', 'pour'] as const) {
    test(`comes whole by ${by}`, async () => {
      await using mirror = await served({ by });
      const response = await fetch(mirror.blob);
      assert.equal(response.status, 200);
      assert.equal(response.headers.get('content-length'), `${BYTES.length}`);
      assert.equal(response.headers.get('content-type'), 'application/octet-stream');
      assert.equal(response.headers.get('accept-ranges'), 'bytes');
      assert.equal(response.headers.get('content-encoding'), null);
      const digest = response.headers.get('docker-content-digest');
      assert.equal(response.headers.get('etag'), `"${digest}"`);
      assert.ok((await bytesOf(response)).equals(BYTES));
      await mirror.recorded(1);
      assert.equal(mirror.source.open, 0);
    });
  }

  test('to HEAD is looked at, not opened', async () => {
    await using mirror = await served();
    const response = await fetch(mirror.blob, { method: 'HEAD', headers: { range: 'bytes=0-1' } });
    assert.equal(response.status, 200);
    assert.equal(response.headers.get('content-length'), `${BYTES.length}`);
    assert.equal(response.headers.get('accept-ranges'), 'bytes');
    assert.match(mirror.source.calls.join(), /^stat [^,]*$/);
  });

  test('of no bytes is a blob', async () => {
    await using mirror = await served();
    const digest = mirror.source.putBlob(REPOSITORY, new Uint8Array());
    const path = `${mirror.url}/v2/app/blobs/${digest}`;
    const response = await fetch(path);
    assert.equal(response.status, 200);
    assert.equal(response.headers.get('content-length'), '0');
    assert.equal((await bytesOf(response)).length, 0);
    const ranged = await fetch(path, { headers: { range: 'bytes=0-' } });
    assert.equal(ranged.status, 416);
    assert.equal(ranged.headers.get('content-range'), 'bytes */0');
  });

  test('of no bytes is answered when it may be believed to be empty, and not before', async () => {
    await using mirror = await serve();
    const { source } = mirror;
    const empty = source.putBlob(REPOSITORY, new Uint8Array());
    const open = source.blob.bind(source);
    source.blob = async (...asked) => ({
      ...(await open(...asked)),
      served: { result: 'miss' },
      pour: async () => {
        throw new RegistryError('UPSTREAM_INVALID', 'what came is not nothing');
      },
    });
    const answer = await fetch(`${mirror.url}/v2/app/blobs/${empty}`);
    assert.equal(answer.status, 502);
    assert.match(await answer.text(), /UPSTREAM_INVALID/);
    assert.equal(source.open, 0);
  });

  test('that the client has already is 304', async () => {
    await using mirror = await served();
    const etag = (await fetch(mirror.blob, { method: 'HEAD' })).headers.get('etag') ?? '';
    const response = await fetch(mirror.blob, { headers: { 'if-none-match': etag } });
    assert.equal(response.status, 304);
    assert.equal(mirror.source.calls.filter((call) => call.startsWith('blob')).length, 0);
  });

  test('that is not there is BLOB_UNKNOWN', async () => {
    await using mirror = await served();
    const response = await fetch(`${mirror.url}/v2/app/blobs/sha256:${'0'.repeat(64)}`);
    assert.equal(response.status, 404);
    assert.match(await response.text(), /BLOB_UNKNOWN/);
  });
});

const SINGLE: readonly (readonly [string, number, number])[] = [
  ['bytes=0-0', 0, 1],
  ['bytes=0-', 0, BYTES.length],
  ['bytes=100-199', 100, 200],
  ['bytes=199999-', 199_999, 200_000],
  ['bytes=199990-999999', 199_990, 200_000],
  ['bytes=-5', 199_995, 200_000],
  ['bytes=-999999', 0, 200_000],
];

suite('a part of a blob', () => {
  for (const [range, start, end] of SINGLE) {
    for (const by of ['body', 'pour'] as const) {
      test(`${range} by ${by}`, async () => {
        await using mirror = await served({ by });
        const response = await fetch(mirror.blob, { headers: { range } });
        assert.equal(response.status, 206);
        assert.equal(response.headers.get('content-range'), `bytes ${start}-${end - 1}/200000`);
        assert.equal(response.headers.get('content-length'), `${end - start}`);
        assert.ok((await bytesOf(response)).equals(BYTES.subarray(start, end)));
      });
    }
  }

  for (const range of [
    'bytes=200000-',
    'bytes=-0',
    'bytes=200000-,300000-',
    'bytes=99999999999999999999-',
    'bytes=500-0',
  ]) {
    test(`${range} cannot be had`, async () => {
      await using mirror = await served();
      const response = await fetch(mirror.blob, { headers: { range } });
      assert.equal(response.status, 416);
      assert.equal(response.headers.get('content-range'), 'bytes */200000');
      const text = await response.text();
      assert.equal(response.headers.get('content-length'), `${text.length}`);
      assert.match(text, /"RANGE_INVALID"/);
      assert.equal(mirror.source.open, 0);
    });
  }

  for (const range of ['bytes=5-4,0-1', 'items=0-1', 'bytes=x', 'bytes=0-1-2']) {
    test(`${range} is no range: all of it`, async () => {
      await using mirror = await served();
      const response = await fetch(mirror.blob, { headers: { range } });
      assert.equal(response.status, 200);
      assert.equal((await bytesOf(response)).length, BYTES.length);
    });
  }

  test('is for those who hold a part of the same blob', async () => {
    await using mirror = await served();
    const etag = (await fetch(mirror.blob, { method: 'HEAD' })).headers.get('etag') ?? '';
    const ask = (condition: string) =>
      fetch(mirror.blob, { headers: { range: 'bytes=0-9', 'if-range': condition } });
    assert.equal((await ask(etag)).status, 206);
    assert.equal((await ask('"other"')).status, 200);
    assert.equal((await ask(`W/${etag}`)).status, 200);
    assert.equal((await ask('Sat, 01 Jan 2028 00:00:00 GMT')).status, 200);
  });
});

const SEVERAL: readonly (readonly [string, readonly (readonly [number, number])[]])[] = [
  [
    'bytes=0-9,100-199',
    [
      [0, 10],
      [100, 200],
    ],
  ],
  [
    'bytes=100-199,0-9,-1',
    [
      [100, 200],
      [0, 10],
      [199_999, 200_000],
    ],
  ],
  [
    'bytes=0-20,10-30',
    [
      [0, 21],
      [10, 31],
    ],
  ],
  ['bytes=0-9,200000-', [[0, 10]]],
];

suite('several parts of a blob', () => {
  for (const [range, spans] of SEVERAL) {
    for (const by of ['body', 'pour'] as const) {
      test(`${range} by ${by}`, async () => {
        await using mirror = await served({ by });
        const response = await fetch(mirror.blob, { headers: { range } });
        assert.equal(response.status, 206);
        assert.equal(response.headers.get('content-range'), null);
        const body = await bytesOf(response);
        assert.equal(response.headers.get('content-length'), `${body.length}`);
        const parts = partsOf(response.headers.get('content-type') ?? '', body);
        assert.deepEqual(
          parts,
          spans.map(([start, end]) => ({
            range: `bytes ${start}-${end - 1}/200000`,
            bytes: BYTES.subarray(start, end),
          })),
        );
        await mirror.recorded(1);
        assert.equal(mirror.source.open, 0);
      });
    }
  }

  test('that are more than the blob are the blob', async () => {
    await using mirror = await served();
    const response = await fetch(mirror.blob, { headers: { range: 'bytes=0-,0-,0-' } });
    assert.equal(response.status, 200);
    assert.ok((await bytesOf(response)).equals(BYTES));
  });

  for (const result of ['miss', 'joined', 'revalidated', 'stale'] as const) {
    test(`are the whole blob, opened once, while it is not at hand (${result})`, async () => {
      await using mirror = await served();
      mirror.source.served = { result };
      const many = Array.from({ length: 500 }, (_, index) => `${index * 300}-${index * 300 + 9}`);
      const range = `bytes=${many.join()}`;
      const response = await fetch(mirror.blob, { headers: { range } });
      assert.equal(response.status, 200);
      assert.equal(response.headers.get('content-range'), null);
      assert.ok((await bytesOf(response)).equals(BYTES));
      assert.deepEqual(
        mirror.source.calls.map((call) => call.split(' ')[0]),
        ['stat', 'blob'],
      );
    });
  }

  test('are parts as soon as it is at hand', async () => {
    await using mirror = await served();
    mirror.source.served = { result: 'hit' };
    const response = await fetch(mirror.blob, { headers: { range: 'bytes=0-9,20-29' } });
    assert.equal(response.status, 206);
    const parts = partsOf(response.headers.get('content-type') ?? '', await bytesOf(response));
    assert.equal(parts.length, 2);
  });

  test('none of which exists cannot be had, at hand or not', async () => {
    await using mirror = await served();
    mirror.source.served = { result: 'miss' };
    const range = 'bytes=200000-,300000-';
    assert.equal((await fetch(mirror.blob, { headers: { range } })).status, 416);
  });

  test('fail before anything is promised, or are cut', async () => {
    await using mirror = await served();
    let opened = 0;
    mirror.source.fault = () => {
      if (mirror.source.calls.at(-1)?.startsWith('blob') !== true) return;
      opened += 1;
      if (opened === 2) throw new RegistryError('UPSTREAM_UNAVAILABLE');
    };
    const range = 'bytes=0-9,20-29';
    await assert.rejects(fetch(mirror.blob, { headers: { range } }).then(bytesOf));
    opened = 1;
    assert.equal((await fetch(mirror.blob, { headers: { range } })).status, 502);
    assert.equal(mirror.source.open, 0);
  });
});
