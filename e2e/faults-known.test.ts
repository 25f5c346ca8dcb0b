import assert from 'node:assert/strict';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { gate } from '../test/fixtures/gate.ts';
import { badWorld, blobPath, manifestPath, type BadWorld } from './lib/bad-world.ts';
import type { Layover } from './lib/layover.ts';
import { pull, sha256Of } from './lib/pull.ts';
import { until } from './lib/until.ts';

const NAME = 'library/app';

/** Mistakes that other mirrors have made. */
suite('mistakes that are not made here', () => {
  test('an upstream that never answers holds up nobody who asks for something else, nor the end', async () => {
    await using here = await badWorld();
    const { manifest } = here.upstream.addImage(NAME, 'good', { layers: ['a layer'] });
    here.upstream.misbehave({ path: /manifests\/stuck/ }, { kind: 'never-answer' });
    await using server = await here.serve({
      config: {
        drain: '1s',
        upstreams: { 'docker.io': { url: here.upstream.url, timeouts: { headers: '2s' } } },
      },
    });
    const stuck = Array.from({ length: 20 }, () => pull(server.url + manifestPath(NAME, 'stuck')));
    await here.upstream.seen({ path: /stuck/ });
    const answer = await pull(server.url + manifestPath(NAME, 'good'));
    assert.equal(sha256Of(answer.body), manifest.digest);
    for (const { status } of await Promise.all(stuck)) assert.equal(status, 504);
    // Who comes after those who have given up is not held up by them either.
    assert.equal((await pull(server.url + manifestPath(NAME, 'stuck'))).status, 504);
    assert.equal((await pull(server.url + manifestPath(NAME, 'good'))).status, 200);
    assert.deepEqual(await server.process.stop('SIGTERM'), { code: 0, signal: null });
  });

  test('tags keep their case, two tags of one digest both last, and one broken record hides nothing', async () => {
    await using here = await badWorld();
    const one = here.upstream.addImage(NAME, 'V1', { layers: ['upper'] }).manifest;
    const two = here.upstream.addImage(NAME, 'v1', { layers: ['lower'] }).manifest;
    here.upstream.tag(NAME, 'also', one.digest);
    const tags = { V1: one, v1: two, also: one };
    const online = await here.serve();
    const all = async ({ url }: Layover): Promise<void> => {
      for (const [tag, { digest }] of Object.entries(tags)) {
        const { body, status } = await pull(url + manifestPath(NAME, tag));
        assert.equal(status, 200, `${tag}: ${body.toString()}`);
        assert.equal(sha256Of(body), digest, tag);
      }
    };
    await all(online);
    await online.process.stop('SIGTERM');
    const folder = join(here.store, 'repositories/docker.io', NAME, '_tags');
    assert.deepEqual((await readdir(folder)).toSorted(), Object.keys(tags).toSorted());
    await writeFile(join(folder, 'broken'), '{"descriptor":');
    await using offline = await here.serve({ config: { offline: true } });
    await all(offline);
    assert.equal((await pull(offline.url + manifestPath(NAME, 'broken'))).status, 404);
  });

  test('a manifest that is here says nothing of its layers: after kill -9 they come whole', async () => {
    await using here = await badWorld();
    const size = 8 * 1024 * 1024;
    const { manifest, layers } = here.upstream.addImage(NAME, 'v1', {
      layers: [{ size, seed: 5 }],
    });
    const layer = layers[0]!.digest;
    const path = new RegExp(layer);
    const held = gate();
    here.upstream.misbehave({ path, times: 1 }, { kind: 'hold-body', at: size >> 1, gate: held });
    const first = await here.serve();
    assert.equal((await pull(first.url + manifestPath(NAME, 'v1'))).status, 200);
    const cut = pull(first.url + blobPath(NAME, layer));
    const growing = join(here.store, 'ingest');
    await until('half of it is there', async () => {
      return here.upstream.bytesSent({ path }) >= size >> 1 && (await readdir(growing)).length > 0;
    });
    await first.process.stop('SIGKILL');
    assert.equal((await cut).end, 'cut');
    held.open();
    await using again = await here.serve();
    const answer = await pull(again.url + manifestPath(NAME, 'v1'));
    assert.equal(sha256Of(answer.body), manifest.digest);
    const whole = await pull(again.url + blobPath(NAME, layer));
    assert.equal(whole.end, 'clean');
    assert.equal(sha256Of(whole.body), layer);
  });

  test('long names, dots, and hosts with a port or without a dot, each way and after a restart', async () => {
    await using here = await badWorld();
    const name = 'a.b/c/d-e/f__g/h/i';
    const { manifest } = here.upstream.addImage(name, 'v1', { layers: ['deep'] });
    const hosts = ['docker.io', 'registry', 'registry:5000', 'my.registry.example:8443'];
    const upstreams = Object.fromEntries(hosts.map((host) => [host, { url: here.upstream.url }]));
    for (const config of [{}, { offline: true }]) {
      const server = await here.serve({ upstreams, config });
      for (const host of hosts) {
        for (const path of [
          `/v2/${host}/${name}/manifests/v1`,
          `/v2/${name}/manifests/v1?ns=${host}`,
        ]) {
          const { body, status, headers } = await pull(server.url + path);
          assert.equal(status, 200, `${path}: ${body.toString()}`);
          assert.equal(sha256Of(body), manifest.digest);
          assert.equal(headers['oci-namespace'], host);
        }
      }
      await server.process.stop('SIGTERM');
    }
  });

  test('HEAD fetches no layer and no body; layers are asked for at once', async () => {
    await using here = await badWorld();
    const { layers } = here.upstream.addImage(NAME, 'v1', { layers: ['one', 'two', 'three'] });
    await using server = await here.serve();
    const method = 'HEAD';
    assert.equal((await pull(server.url + manifestPath(NAME, 'v1'), { method })).status, 200);
    const [first] = layers;
    const head = await pull(server.url + blobPath(NAME, first!.digest), { method });
    assert.equal(head.status, 200);
    assert.equal(head.headers['content-length'], '3');
    assert.equal(here.upstream.count({ method: 'GET' }), 0);
    const held = gate();
    here.upstream.misbehave({ path: /blobs/ }, { kind: 'hold-headers', gate: held });
    const answers = layers.map(({ digest }) => pull(server.url + blobPath(NAME, digest)));
    // All are asked for before one has been answered.
    await here.upstream.seen({ method: 'GET', path: /blobs/ }, layers.length);
    held.open();
    for (const { status } of await Promise.all(answers)) assert.equal(status, 200);
  });

  test('a manifest takes one token, one HEAD and one GET, and the next one no further token', async () => {
    await using here = await badWorld({
      auth: { kind: 'bearer', expiresIn: 300, tokenKey: 'access_token' },
    });
    const names = ['v1', 'v2'];
    for (const tag of names) here.upstream.addImage(NAME, tag, { layers: [tag] });
    await using server = await here.serve();
    for (const tag of names) {
      assert.equal((await pull(server.url + manifestPath(NAME, tag))).status, 200);
    }
    const anonymous = here.upstream.requests.filter(
      ({ headers, path }) => headers['authorization'] === undefined && !path.startsWith('/token'),
    );
    assert.ok(anonymous.length <= 1, `${anonymous.length} requests without a token`);
    assert.equal(here.upstream.count({ path: /^\/token/ }), 1);
    assert.equal(here.upstream.count({ method: 'GET', path: /manifests/ }), names.length);
  });

  test('a blob is read only through a repository that has it, cold and warm', async () => {
    await using here = await badWorld();
    const digest = here.upstream.addBlob('a secret layer', 'team/secret');
    here.upstream.addImage('team/other', 'v1');
    await using server = await here.serve();
    const through = async (name: string): Promise<number> =>
      (await pull(server.url + blobPath(name, digest))).status;
    assert.equal(await through('team/other'), 404);
    assert.equal(await through('team/secret'), 200);
    assert.equal(await through('team/secret'), 200);
    assert.equal(await through('team/third'), 404);
  });

  test('the log goes on where it began, whatever is asked meanwhile, in UTC', async () => {
    await using here = await badWorld();
    await using server = await here.serve({ env: { TZ: 'Asia/Tokyo' } });
    const before = Date.now();
    for (const path of ['/v2/', '/metrics', '/readyz', '/nowhere', '/v2/']) {
      const { body } = await pull(server.url + path);
      assert.ok(!body.toString().includes('"msg"'), path);
    }
    await server.process.stop('SIGTERM');
    const lines = server.process.lines().map((line) => JSON.parse(line));
    const asked = lines.filter(({ msg, path }) => msg === 'request' && path === '/v2/');
    assert.equal(asked.length, 2);
    for (const { time } of asked) assert.ok(Math.abs(Date.parse(time) - before) < 60_000, time);
    assert.equal(lines.at(-1)?.msg, 'stopped');
  });

  test('what a tag means was learned at a time that survives another time zone', async () => {
    await using here = await badWorld();
    here.upstream.addImage(NAME, 'v1', { layers: ['a layer'] });
    const asks = async (TZ: string): Promise<number> => {
      await using server: Layover = await here.serve({ env: { TZ } });
      const before = heads(here);
      assert.equal((await pull(server.url + manifestPath(NAME, 'v1'))).status, 200);
      await server.process.stop('SIGTERM');
      return heads(here) - before;
    };
    assert.equal(await asks('Asia/Tokyo'), 1);
    assert.equal(await asks('America/Los_Angeles'), 0, 'within freshFor nobody is asked');
  });
});

function heads({ upstream }: BadWorld): number {
  return upstream.count({ method: 'HEAD', path: /manifests/ });
}
