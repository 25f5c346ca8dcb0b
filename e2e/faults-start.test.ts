import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { startRegistry } from '../test/fixtures/registry.ts';
import { badWorld, blobPath, manifestPath } from './lib/bad-world.ts';
import { LAUNCHER } from './lib/layover.ts';
import { metric } from './lib/metrics.ts';
import { attempt } from './lib/process.ts';
import { errorCode, pull, sha256Of } from './lib/pull.ts';
import { until } from './lib/until.ts';

const REPOSITORY = 'library/app';
const MANY = 100_000;

suite('one server a store', () => {
  test('a second one fails at once and names the first; after kill -9 the next one starts', async () => {
    await using here = await badWorld();
    const first = await here.serve();
    const started = performance.now();
    const second = await attempt(LAUNCHER, ['serve', '--config', here.scratch.at('mirror.yaml')]);
    assert.equal(second.code, 1);
    assert.match(second.stderr, new RegExp(`process ${first.process.pid} serves it`));
    assert.ok(performance.now() - started < 5_000);
    assert.equal((await pull(`${first.url}/readyz`)).status, 200);
    await first.process.stop('SIGKILL');
    await using third = await here.serve();
    assert.equal((await pull(`${third.url}/readyz`)).status, 200);
  });
});

suite('the start', () => {
  test('needs no upstream: ready, what is cached is served, what is not is 502', async () => {
    await using here = await badWorld();
    const { manifest, layers } = here.upstream.addImage(REPOSITORY, 'v1', { layers: ['a layer'] });
    const online = await here.serve();
    assert.equal((await pull(online.url + manifestPath(REPOSITORY, 'v1'))).status, 200);
    assert.equal((await pull(online.url + blobPath(REPOSITORY, layers[0]!.digest))).status, 200);
    await online.process.stop('SIGTERM');
    const gone = await startRegistry();
    const { url } = gone;
    await gone[Symbol.asyncDispose]();
    for (const upstreams of [
      { 'docker.io': { url } },
      // No name server knows a name below .invalid (RFC 6761 section 6.4).
      { 'docker.io': { url: 'http://registry.invalid' } },
    ]) {
      const down = await here.serve({ upstreams, config: { tags: { freshFor: '1ms' } } });
      assert.equal((await pull(`${down.url}/readyz`)).status, 200);
      const cached = await pull(down.url + manifestPath(REPOSITORY, 'v1'));
      assert.equal(sha256Of(cached.body), manifest.digest);
      assert.match(String(cached.headers['cache-status']), /fwd=stale/);
      const missing = await pull(down.url + manifestPath(REPOSITORY, 'v2'));
      assert.equal(missing.status, 502);
      assert.equal(errorCode(missing), 'UPSTREAM_UNAVAILABLE');
      await down.process.stop('SIGTERM');
    }
  });

  test(`is quick on a store of ${MANY} blobs, and ready before they are counted`, async (t) => {
    await using here = await badWorld();
    const blobs = join(here.store, 'blobs/sha256');
    const links = join(here.store, 'repositories/docker.io', REPOSITORY, '_links/sha256');
    for (const folder of [blobs, links]) mkdirSync(folder, { recursive: true });
    for (let n = 0; n < MANY; n += 1) {
      const hex = createHash('sha256').update(String(n)).digest('hex');
      writeFileSync(join(blobs, hex), String(n));
      writeFileSync(join(links, hex), `{"size":${String(n).length}}`);
    }
    const started = performance.now();
    await using server = await here.serve();
    assert.equal((await pull(`${server.url}/readyz`)).status, 200);
    const took = performance.now() - started;
    const counted = await metric(server.url, 'layover_storage_objects');
    assert.ok(took < 10_000, `${took} ms`);
    assert.ok(counted < MANY, 'it was ready before it had counted');
    const digest = sha256Of(Buffer.from('77'));
    const answer = await pull(server.url + blobPath(REPOSITORY, digest));
    assert.equal(answer.body.toString(), '77');
    assert.equal(here.upstream.requests.length, 0);
    await until('all are counted', async () => {
      return (await metric(server.url, 'layover_storage_objects')) === MANY;
    });
    const all = performance.now() - started;
    t.diagnostic(`ready after ${Math.round(took)} ms, counted after ${Math.round(all)} ms`);
  });
});

test('offline: nobody is dialled; what is cached is served for ever, anything else is 404 with the reason', async () => {
  await using here = await badWorld();
  const { manifest, layers } = here.upstream.addImage(REPOSITORY, 'v1', { layers: ['a layer'] });
  const other = here.upstream.addImage(REPOSITORY, 'v2', { layers: ['another layer'] });
  const [layer, missing] = [layers[0]!.digest, other.layers[0]!.digest];
  const online = await here.serve();
  assert.equal((await pull(online.url + manifestPath(REPOSITORY, 'v1'))).status, 200);
  assert.equal((await pull(online.url + blobPath(REPOSITORY, layer))).status, 200);
  await online.process.stop('SIGTERM');
  const before = here.upstream.requests.length;
  const config = { offline: true, tags: { freshFor: '1ms', whenUnreachable: 'fail' } };
  await using offline = await here.serve({ config });
  for (const at of ['v1', manifest.digest]) {
    const answer = await pull(offline.url + manifestPath(REPOSITORY, at));
    assert.equal(answer.status, 200);
    assert.equal(sha256Of(answer.body), manifest.digest);
    assert.match(String(answer.headers['cache-status']), /hit/);
  }
  assert.equal(sha256Of((await pull(offline.url + blobPath(REPOSITORY, layer))).body), layer);
  for (const path of [
    manifestPath(REPOSITORY, 'v2'),
    manifestPath(REPOSITORY, other.manifest.digest),
    manifestPath('library/never', 'v1'),
    blobPath(REPOSITORY, missing),
    // It is here, but not by way of this repository, and nobody can be asked.
    blobPath('library/other', layer),
  ]) {
    for (const method of ['GET', 'HEAD']) {
      const answer = await pull(offline.url + path, { method });
      assert.equal(answer.status, 404, `${method} ${path}`);
      if (method === 'HEAD') continue;
      assert.equal(errorCode(answer), 'OFFLINE');
      assert.match(answer.body.toString(), /offline/);
    }
  }
  assert.equal((await pull(`${offline.url}/readyz`)).status, 200);
  assert.equal(here.upstream.requests.length, before);
});
