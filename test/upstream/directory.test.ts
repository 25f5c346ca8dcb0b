import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Served } from '../../src/core/served.ts';
import { cacheStatus } from '../../src/http/answer.ts';
import { parseCacheStatus } from '../../src/upstream/cache-status.ts';
import { givenCredentials } from '../../src/upstream/credentials.ts';
import { environmentProxy } from '../../src/upstream/proxy.ts';
import { challengedScope, pushScope } from '../../src/upstream/scope.ts';
import { startRegistry } from '../fixtures/registry.ts';
import { bytesOf, connect, failure, V1, X } from './support.ts';

test('repositories are listed to the end, with the scope of the catalog', async () => {
  await using registry = await startRegistry({ auth: { kind: 'bearer' } });
  await using source = connect(registry);
  const names = ['a', 'b/c', 'd', 'e-f/g', 'h'];
  for (const name of names) registry.addImage(name, 'v1');
  assert.deepEqual((await source.repositories()).items, names);
  assert.equal(registry.count({ path: /_catalog/ }), 4);
  const [token] = registry.matching({ path: /^\/token/ });
  assert.match(decodeURIComponent(token?.path ?? ''), /scope=registry:catalog:\*/);
});

test('a registry that does not list its repositories is told apart from an empty one', async () => {
  await using registry = await startRegistry();
  await using source = connect(registry);
  assert.deepEqual((await source.repositories()).items, []);
  const path = /_catalog/;
  registry.misbehave({ path, times: 1 }, { kind: 'status', status: 400 });
  assert.deepEqual((await source.repositories()).items, []);
  registry.misbehave({ path, times: 1 }, { kind: 'status', status: 404, body: 'no' });
  await failure(source.repositories(), 'UNSUPPORTED');
  registry.misbehave({ path, times: 1 }, { kind: 'status', status: 200, body: { names: [] } });
  await failure(source.repositories(), 'UPSTREAM_INVALID');
});

test('check: right and wrong passwords, by token and without', async () => {
  for (const kind of ['bearer', 'basic'] as const) {
    await using registry = await startRegistry({ auth: { kind, username: 'me', password: 'it' } });
    await using good = connect(registry, { credentials: givenCredentials('me', 'it') });
    await good.check();
    await using bad = connect(registry, { credentials: givenCredentials('me', 'no') });
    await failure(bad.check(), 'DENIED');
  }
  await using open = await startRegistry();
  await using source = connect(open);
  await source.check();
});

test('ns goes along with every request to the mirror, and nowhere else', async () => {
  await using registry = await startRegistry({ auth: { kind: 'bearer', realm: 'storage' } });
  await using source = connect(registry, { ns: 'quay.io' });
  const { config, manifest } = registry.addImage('library/x', 'v1');
  registry.misbehave({ path: /blobs/, times: 1 }, { kind: 'signed-redirect' });
  await source.resolve(X, V1);
  await source.manifest(X, manifest.digest);
  await bytesOf(await source.blob(X, config.digest));
  await source.tags(X);
  await source.referrers(X, manifest.digest);
  await source.check();
  for (const { path, at } of registry.requests) {
    assert.equal(/[?&]ns=quay\.io(&|$)/.test(path), at === 'api', path);
  }
  assert.ok(registry.requests.some(({ path }) => path.endsWith('tags/list?n=1000&ns=quay.io')));
});

test('a trace tells the API, the token server and where redirects lead, without signatures', async () => {
  await using registry = await startRegistry({ auth: { kind: 'bearer', realm: 'storage' } });
  await using source = connect(registry);
  const { config } = registry.addImage('library/x', 'v1');
  registry.misbehave({ path: /blobs/ }, { kind: 'signed-redirect', uses: 9 });
  assert.deepEqual(await source.trace(X, 'manifest', V1), [
    { role: 'api', url: `${registry.url}/v2/library/x/manifests/v1` },
    { role: 'auth', url: `${registry.storageUrl}/token` },
  ]);
  assert.deepEqual(await source.trace(X, 'blob', config.digest), [
    { role: 'api', url: `${registry.url}/v2/library/x/blobs/${config.digest}` },
    { role: 'redirect', url: `${registry.storageUrl}/storage` },
  ]);
});

test('answers say how a mirror came by them; storage behind a redirect is no mirror', async () => {
  await using registry = await startRegistry();
  await using source = connect(registry);
  const { config, manifest } = registry.addImage('library/x', 'v1');
  const set = { 'cache-status': 'layover; fwd=miss; stored' };
  registry.misbehave({}, { kind: 'headers', set });
  const served = { result: 'miss', stored: true };
  assert.deepEqual((await source.resolve(X, V1)).served, served);
  assert.deepEqual((await source.manifest(X, manifest.digest)).served, served);
  assert.deepEqual((await source.stat(X, config.digest)).served, served);
  await using blob = await source.blob(X, config.digest);
  assert.deepEqual(blob.served, served);
  registry.misbehave({ path: /^\/v2\/.*blobs/ }, { kind: 'signed-redirect' });
  await using redirected = await source.blob(X, config.digest);
  assert.equal(redirected.served, undefined);
});

test('Cache-Status: of several caches a layover, else the nearest', () => {
  const table: readonly (readonly [string, Served | undefined])[] = [
    ['layover; hit', { result: 'hit' }],
    ['layover;hit;ttl=59', { result: 'hit', ttl: 59 }],
    ['layover; hit; detail=revalidated', { result: 'revalidated' }],
    ['layover; hit; detail=stale', { result: 'stale' }],
    ['layover; fwd=miss; stored', { result: 'miss', stored: true }],
    ['layover; fwd=uri-miss; collapsed', { result: 'joined' }],
    ['layover; fwd=stale; detail="a \\"b\\", c; d"', { result: 'stale', detail: 'a "b", c; d' }],
    ['x; fwd=stale; fwd-status=304', { result: 'revalidated' }],
    ['layover; fwd=bypass', { result: 'bypass' }],
    ['origin; hit, "far; away"; fwd=miss', { result: 'miss' }],
    ['layover; hit, nginx; fwd=miss', { result: 'hit' }],
    ['layover', undefined],
    ['layover; hit=?0; fwd=miss', { result: 'miss' }],
    ['', undefined],
    [';;,', undefined],
  ];
  for (const [header, served] of table) assert.deepEqual(parseCacheStatus(header), served, header);
  assert.deepEqual(parseCacheStatus(['a; hit', 'b; fwd=miss']), { result: 'miss' });
  fc.assert(fc.property(fc.string(), (text) => void parseCacheStatus(text)));
  fc.assert(
    fc.property(fc.stringMatching(/^[ -~]{1,40}$/), (detail) => {
      const said = cacheStatus({ result: 'stale', detail });
      assert.equal(parseCacheStatus(said)?.detail ?? 'stale', detail);
    }),
  );
});

test('what Layover says of itself is understood', () => {
  const all: readonly Served[] = [
    { result: 'hit', ttl: 3 },
    { result: 'miss', stored: true },
    { result: 'joined' },
    { result: 'revalidated' },
    { result: 'stale' },
    { result: 'negative' },
    { result: 'bypass' },
  ];
  for (const served of all) assert.deepEqual(parseCacheStatus(cacheStatus(served)), served);
});

test('scopes: the challenge’s names, with all that is going to be needed', () => {
  const push = pushScope('a', 'b');
  assert.equal(push, 'repository:a:pull,push repository:b:pull');
  const table = [
    [undefined, push, push],
    ['repository:a:pull', pushScope('a'), 'repository:a:pull,push'],
    ['repository:proxy/a:pull', 'repository:a:pull', 'repository:proxy/a:pull'],
    ['repository:a:pull,push', push, 'repository:a:pull,push repository:b:pull'],
    ['repository:h:5000/a:push', 'repository:h:5000/a:pull', 'repository:h:5000/a:push,pull'],
    ['repository:user/image:pull', '', 'repository:user/image:pull'],
  ] as const;
  for (const [challenge, wanted, expected] of table) {
    assert.equal(challengedScope(challenge, wanted), expected);
  }
});

test('the environment names proxies, in lower case first', () => {
  const none = { HTTP_PROXY: '', NO_PROXY: 'a' };
  assert.equal(environmentProxy(none), undefined);
  const all = { HTTP_PROXY: 'http://a', http_proxy: 'http://b', HTTPS_PROXY: 'http://c' };
  assert.deepEqual(environmentProxy(all), { http: 'http://b', https: 'http://c' });
  assert.deepEqual(environmentProxy({ https_proxy: 'http://c', no_proxy: 'x' }), {
    https: 'http://c',
    none: 'x',
  });
});
