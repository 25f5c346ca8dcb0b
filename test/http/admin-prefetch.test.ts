import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { RegistryError } from '../../src/core/errors.ts';
import { createAdminApp } from '../../src/http/admin/app.ts';
import type { Administration } from '../../src/http/admin/administration.ts';
import { startServer } from '../../src/http/server.ts';
import type { PrefetchSummary } from '../../src/image/prefetch/event.ts';
import type { PrefetchQuery } from '../../src/image/prefetch/prefetcher.ts';

const NOTHING = { blobs: 0, bytes: 0 };
const SUMMARY: PrefetchSummary = { complete: 1, fetched: NOTHING, held: NOTHING, failures: [] };

async function served(prefetch: Administration['prefetch']) {
  const errors: Error[] = [];
  const other = () => Promise.reject(new Error('not asked for'));
  const administration: Administration = {
    store: '/store',
    ready: other,
    figures: other,
    evict: other,
    leaving: () => assert.fail(),
    prune: other,
    planPrune: other,
    collect: other,
    garbage: () => assert.fail(),
    pins: other,
    pin: other,
    unpin: other,
    prefetch,
    import: other,
  };
  const app = createAdminApp({
    administration: () => administration,
    host: undefined,
    onError: (error) => errors.push(error),
  });
  const server = await startServer({ app, listen: { host: '127.0.0.1', port: 0 } });
  const post = (body: unknown, signal?: AbortSignal) =>
    fetch(`http://127.0.0.1:${server.port}/api/v1/prefetch`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(body),
      ...(signal && { signal }),
    });
  return { post, errors, [Symbol.asyncDispose]: async () => void (await server.close(0)) };
}

const lines = async (response: Response) =>
  (await response.text())
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { readonly type: string });

suite('POST /api/v1/prefetch', () => {
  test('answers line by line while it goes, and ends with the summary', async () => {
    const asked: PrefetchQuery[] = [];
    const go = Promise.withResolvers<void>();
    await using place = await served(async (query, { observe }) => {
      asked.push(query);
      observe({ type: 'image-started', image: 'a' });
      await go.promise;
      return SUMMARY;
    });
    const platforms = ['linux/arm64'];
    const response = await place.post({ images: ['x:1'], platforms, referrers: 'copied' });
    const reader = response.body!.getReader();
    const { value } = await reader.read();
    assert.deepEqual(JSON.parse(new TextDecoder().decode(value)), {
      type: 'image-started',
      image: 'a',
    });
    go.resolve();
    const rest = await reader.read();
    assert.deepEqual(JSON.parse(new TextDecoder().decode(rest.value)), {
      type: 'summary',
      ...SUMMARY,
    });
    assert.equal((await reader.read()).done, true);
    assert.deepEqual(asked, [
      {
        images: ['x:1'],
        platforms: [{ os: 'linux', architecture: 'arm64' }],
        referrers: 'copied',
        maxTags: 100,
        mode: 'fetch',
      },
    ]);
  });

  for (const [what, body] of [
    ['no images', { images: [] }],
    ['images that are none', { images: [1] }],
    ['a platform that is none', { images: ['x'], platforms: ['a b'] }],
    ['a key it does not know', { images: ['x'], dryRun: true }],
    ['a word it does not know', { images: ['x'], mode: 'maybe' }],
    ['a number that is none', { images: ['x'], maxTags: '5' }],
    ['too much', { images: ['x'.repeat(5_000_000)] }],
  ] as const) {
    test(`refuses ${what}`, async () => {
      await using place = await served(() => Promise.resolve(SUMMARY));
      assert.equal((await place.post(body)).status, 400);
    });
  }

  test('what ends it early is the last line; a defect tells nothing', async () => {
    await using place = await served(() => Promise.reject(new RegistryError('OFFLINE', 'no')));
    const said = await lines(await place.post({ images: ['x'] }));
    assert.deepEqual(said, [{ type: 'error', code: 'OFFLINE', message: 'no' }]);
    await using broken = await served(() => Promise.reject(new Error('a defect')));
    const told = await lines(await broken.post({ images: ['x'] }));
    assert.deepEqual(told, [{ type: 'error', code: 'UNKNOWN', message: 'internal error' }]);
    assert.equal(broken.errors[0]?.message, 'a defect');
  });

  test('a client that leaves ends the run', async () => {
    const left = Promise.withResolvers<void>();
    await using place = await served(async (_query, { observe, signal }) => {
      observe({ type: 'image-started', image: 'a' });
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
      left.resolve();
      // What comes later is for nobody.
      observe({ type: 'image-started', image: 'b' });
      return SUMMARY;
    });
    const leaving = new AbortController();
    const response = await place.post({ images: ['x'] }, leaving.signal);
    await response.body!.getReader().read();
    leaving.abort();
    await left.promise;
    assert.deepEqual(place.errors, []);
  });

  test('a client that does not read costs no memory: what only shows progress is left out', async () => {
    let told = 0;
    await using place = await served(async (_query, { observe }) => {
      for (; told < 100_000; told += 1) {
        observe({
          type: 'blob-progress',
          digest: `sha256:${'0'.repeat(64)}` as never,
          bytes: told,
        });
      }
      observe({ type: 'image-started', image: 'kept' });
      return SUMMARY;
    });
    const said = await lines(await place.post({ images: ['x'] }));
    assert.ok(said.length < 1000, `${said.length}`);
    assert.deepEqual(
      said.slice(-2).map(({ type }) => type),
      ['image-started', 'summary'],
    );
  });
});
