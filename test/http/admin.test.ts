import assert from 'node:assert/strict';
import { request } from 'node:http';
import { once } from 'node:events';
import { suite, test } from 'node:test';
import { digestOf } from '../../src/core/digest.ts';
import { RegistryError } from '../../src/core/errors.ts';
import type { Administration } from '../../src/http/admin/administration.ts';
import { createAdminApp } from '../../src/http/admin/app.ts';
import { startServer } from '../../src/http/server.ts';
import type { Leaving } from '../../src/store/inventory/evictable.ts';

const DIGEST = digestOf(Buffer.from('x'));
const LOCAL = { host: '', path: 'team/x' };
const LEAVING: Leaving = {
  digest: DIGEST,
  kind: 'blob',
  size: 7,
  lastUsed: 9,
  repositories: ['a.io/b'],
};

async function served(given: Partial<Administration> = {}, host?: string) {
  const asked: unknown[] = [];
  const errors: Error[] = [];
  const administration: Administration = {
    store: '/store',
    ready: async () => undefined,
    figures: () => Promise.reject(new Error('a defect')),
    evict: async (to) => {
      asked.push(to);
      return { blobs: 1, bytes: 2 };
    },
    prune: async (query) => {
      asked.push(query);
      return { blobs: 0, bytes: 0, images: [] };
    },
    async *leaving() {
      yield LEAVING;
      yield LEAVING;
    },
    planPrune: async () => ({ blobs: 3, bytes: 4, images: ['a.io/b:c'] }),
    async *garbage() {
      yield { type: 'removed', repository: LOCAL, digest: DIGEST, kind: 'blob', size: 5 };
      yield { type: 'kept', repository: LOCAL, reasons: new Map([['tagged', 2]]) };
      yield { type: 'freed', digest: DIGEST, size: 5 };
      yield { type: 'in-use', digest: DIGEST, size: 6 };
    },
    collect: async () => ({
      manifests: 1,
      blobs: 2,
      freed: 3,
      freedBytes: 4,
      inUse: 6,
      inUseBytes: 7,
      kept: { tagged: 5 },
    }),
    pins: async () => [],
    pin: async (pattern) => {
      asked.push(pattern);
      return 'changed';
    },
    unpin: async () => 'same',
    prefetch: () => Promise.reject(new Error('prefetch')),
    import: async () => ({ images: [], blobs: 0, bytes: 0 }),
    ...given,
  };
  const app = createAdminApp({
    administration: () => administration,
    host,
    onError: (error) => errors.push(error),
  });
  const server = await startServer({ app, listen: { host: '127.0.0.1', port: 0 } });
  const send = async (
    method: string,
    path: string,
    body?: string,
    headers: Record<string, string> = { 'content-type': 'application/json' },
  ) => {
    const sent = request({ host: '127.0.0.1', port: server.port, method, path, headers });
    sent.end(body);
    const [answer] = await once(sent, 'response');
    let text = '';
    for await (const chunk of answer) text += String(chunk);
    return { status: answer.statusCode as number, text };
  };
  return { send, asked, errors, [Symbol.asyncDispose]: async () => void (await server.close(0)) };
}

suite('administration', () => {
  test('does what it is asked', async () => {
    await using place = await served();
    const evicted = await place.send('POST', '/api/v1/evict', '{"to":5}');
    assert.deepEqual(evicted, { status: 200, text: '{"blobs":1,"bytes":2}' });
    const query = { patterns: ['a.io/**'], unusedFor: 5, gone: 'include' };
    assert.equal((await place.send('POST', '/api/v1/prune', JSON.stringify(query))).status, 200);
    assert.equal((await place.send('POST', '/api/v1/pins', '{"pattern":"a.io/b"}')).status, 200);
    assert.deepEqual(place.asked, [5, query, 'a.io/b']);
  });

  for (const [what, path, body] of [
    ['no JSON', '/api/v1/evict', 'to=5'],
    ['no object', '/api/v1/evict', '[]'],
    ['a number that is none', '/api/v1/evict', '{"to":-1}'],
    ['text for a number', '/api/v1/evict', '{"to":"5"}'],
    ['patterns that are none', '/api/v1/prune', '{"patterns":[1]}'],
    ['a word it does not know', '/api/v1/prune', '{"patterns":["a.io/b"],"gone":"maybe"}'],
    ['no pattern', '/api/v1/pins', '{}'],
    ['a query in the address', '/api/v1/evict?dryRun=true', '{"to":5}'],
    ['a dry run that is none', '/api/v1/evict', '{"to":5,"dryRun":"yes"}'],
    ['too much', '/api/v1/pins', `{"pattern":"${'x'.repeat(70_000)}"}`],
  ] as const) {
    test(`refuses ${what}`, async () => {
      await using place = await served();
      assert.equal((await place.send('POST', path, body)).status, 400);
      assert.deepEqual(place.asked, []);
    });
  }

  for (const [path, body, said] of [
    ['evict', '{"to":5,"dryrun":true}', 'no such key: \\"dryrun\\"; there are to, dryRun'],
    [
      'prune',
      '{"patterns":["a.io/b"],"unused_for":9}',
      'no such key: \\"unused_for\\"; there are patterns, olderThan, unusedFor, gone, imported, dryRun',
    ],
    ['gc', '{"dry":true}', 'no such key: \\"dry\\"; there are dryRun'],
    ['pins', '{"pattern":"a.io/b","for":1}', 'no such key: \\"for\\"; there are pattern'],
    ['unpin', '{"pattern":"a.io/b","dryRun":true}', 'no such key: \\"dryRun\\"'],
  ] as const) {
    test(`refuses keys that it does not know, and names those that there are: ${path}`, async () => {
      await using place = await served({
        collect: () => assert.fail(),
        unpin: () => assert.fail(),
      });
      const { status, text } = await place.send('POST', `/api/v1/${path}`, body);
      assert.equal(status, 400);
      assert.ok(text.includes(said), text);
      assert.deepEqual(place.asked, []);
    });
  }

  test('an import refuses keys that it does not know', async () => {
    await using place = await served({ import: () => assert.fail() });
    const type = { 'content-type': 'application/vnd.layover.import' };
    const body = '{"name":"a.tar","dryRun":true}\n';
    const { status, text } = await place.send('POST', '/api/v1/import', body, type);
    assert.equal(status, 400);
    assert.match(text, /no such key: ..dryRun..; there are name, lock/);
  });

  test('a dry run tells what would go, and has nothing changed', async () => {
    const changed = () => assert.fail('something was changed');
    await using place = await served({ evict: changed, prune: changed, collect: changed });
    const lines = ({ text }: { readonly text: string }) =>
      text
        .trimEnd()
        .split('\n')
        .map((line): unknown => JSON.parse(line));
    const evicted = await place.send('POST', '/api/v1/evict', '{"to":5,"dryRun":true}');
    assert.deepEqual(lines(evicted), [LEAVING, LEAVING, { type: 'summary', blobs: 2, bytes: 14 }]);
    const pruned = await place.send('POST', '/api/v1/prune', '{"patterns":["**"],"dryRun":true}');
    assert.equal(pruned.text, '{"blobs":3,"bytes":4,"images":["a.io/b:c"]}');
    const collected = await place.send('POST', '/api/v1/gc', '{"dryRun":true}');
    assert.deepEqual(lines(collected), [
      { type: 'removed', repository: 'team/x', digest: DIGEST, kind: 'blob', size: 5 },
      { type: 'kept', repository: 'team/x', reasons: { tagged: 2 } },
      { type: 'freed', digest: DIGEST, size: 5 },
      { type: 'in-use', digest: DIGEST, size: 6 },
      {
        type: 'collection',
        manifests: 0,
        blobs: 1,
        freed: 1,
        freedBytes: 5,
        inUse: 1,
        inUseBytes: 6,
        kept: { tagged: 2 },
      },
    ]);
  });

  test('a dry run that cannot begin says why; one that breaks off ends with it', async () => {
    const closed = new RegistryError('STORAGE_UNAVAILABLE', 'not now');
    for (const [before, status, said] of [
      [[], 503, 'not now'],
      [[LEAVING], 200, '\n{"type":"error","code":"STORAGE_UNAVAILABLE","message":"not now"}\n'],
    ] as const) {
      await using place = await served({
        async *leaving() {
          yield* before;
          throw closed;
        },
      });
      const answer = await place.send('POST', '/api/v1/evict', '{"to":5,"dryRun":true}');
      assert.equal(answer.status, status);
      assert.ok(answer.text.includes(said), answer.text);
    }
  });

  test('is not for browsers: other names, origins and forms are refused', async () => {
    await using place = await served({}, 'admin.internal');
    const json = { 'content-type': 'application/json' };
    for (const [headers, status] of [
      [{ ...json, host: 'rebound.example:8081' }, 403],
      [{ ...json, origin: 'https://page.example' }, 403],
      [{ 'content-type': 'text/plain' }, 400],
      [{ 'content-type': 'application/x-www-form-urlencoded' }, 400],
      [{ ...json, host: 'localhost:8081' }, 200],
      [{ ...json, host: '[::1]:8081' }, 200],
      [{ ...json, host: 'admin.internal:8081' }, 200],
    ] as const) {
      const answer = await place.send('POST', '/api/v1/evict', '{"to":5}', headers);
      assert.equal(answer.status, status, JSON.stringify(headers));
    }
    assert.equal(place.asked.length, 3);
  });

  test('of another store is not this one; a defect tells nothing', async () => {
    await using place = await served();
    const headers = (store: string) => ({ 'layover-store': encodeURIComponent(store) });
    assert.equal((await place.send('GET', '/api/v1/pins', '', headers('/other'))).status, 404);
    assert.equal((await place.send('GET', '/api/v1/pins', '', headers('/store'))).status, 200);
    const { status, text } = await place.send('GET', '/api/v1/store');
    assert.equal(status, 500);
    assert.doesNotMatch(text, /defect/);
    assert.deepEqual(
      place.errors.map(({ message }) => message),
      ['a defect'],
    );
    assert.equal((await place.send('GET', '/v2/')).status, 404);
  });
});
