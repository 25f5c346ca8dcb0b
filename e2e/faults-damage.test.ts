import assert from 'node:assert/strict';
import { chmod, readdir, readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { badWorld, blobPath, manifestPath, type BadWorld } from './lib/bad-world.ts';
import { LAUNCHER, type Layover } from './lib/layover.ts';
import { metric } from './lib/metrics.ts';
import { attempt } from './lib/process.ts';
import { pull, sha256Of } from './lib/pull.ts';
import { blobFile, visible, wrong } from './lib/stored.ts';
import { until } from './lib/until.ts';

const SIZE = 3 * 1024 * 1024;
const REPOSITORY = 'library/app';
const GOOD = { size: SIZE, seed: 1 };
const BAD = { size: SIZE, seed: 2 };

interface Warm extends AsyncDisposable {
  readonly here: BadWorld;
  readonly good: string;
  readonly bad: string;
}

/** A store with two blobs, and no server on it. */
async function warm(): Promise<Warm> {
  await using stack = new AsyncDisposableStack();
  const here = stack.use(await badWorld());
  const [good, bad] = [here.upstream.addBlob(GOOD), here.upstream.addBlob(BAD)];
  const server = await here.serve({ config: quiet(here) });
  for (const digest of [good, bad]) await right(server, digest);
  assert.deepEqual(await server.process.stop('SIGTERM'), { code: 0, signal: null });
  const whole = stack.move();
  return { here, good, bad, [Symbol.asyncDispose]: () => whole.disposeAsync() };
}

/** Without verification in the background, so that what is found is found by other means. */
function quiet({ store }: BadWorld): Record<string, unknown> {
  return { storage: { path: store, verifyRate: 0 } };
}

async function right({ url }: Layover, digest: string): Promise<void> {
  const answer = await pull(url + blobPath(REPOSITORY, digest));
  assert.equal(answer.status, 200);
  assert.equal(answer.end, 'clean');
  assert.equal(sha256Of(answer.body), digest);
}

async function flip(store: string, digest: string): Promise<void> {
  const file = blobFile(store, digest);
  const bytes = await readFile(file);
  bytes[bytes.length >> 1]! ^= 1;
  await chmod(file, 0o644);
  await writeFile(file, bytes);
}

/** The next pull brings it again, once, and nothing wrong is left where it can be served. */
async function heals({ here, bad }: Warm, server: Layover): Promise<void> {
  const before = here.upstream.count({ method: 'GET', path: /blobs/ });
  await right(server, bad);
  await right(server, bad);
  assert.equal(here.upstream.count({ method: 'GET', path: /blobs/ }) - before, 1);
  assert.deepEqual(await wrong(here.store), []);
  assert.ok((await visible(here.store)).includes(bad));
  const damaged = await readdir(join(here.store, 'damaged'));
  assert.equal(damaged.filter((name) => name.includes(bad.slice('sha256:'.length))).length, 1);
}

suite('damage to what is stored', () => {
  for (const [what, size] of [
    ['too short', SIZE - 1],
    ['empty', 0],
    ['too long', SIZE + 1],
  ] as const) {
    test(`a blob that is ${what} is noticed when it is opened, set aside and healed`, async () => {
      await using world = await warm();
      const { here, bad } = world;
      await chmod(blobFile(here.store, bad), 0o644);
      await truncate(blobFile(here.store, bad), size);
      await using server = await here.serve({ config: quiet(here) });
      await heals(world, server);
      const name = 'layover_integrity_failures_total';
      assert.equal(await metric(server.url, name, { reason: 'size' }), 1);
      assert.equal(await metric(server.url, name), 1);
    });
  }

  test('a flipped byte is found by the verification in the background, set aside and healed', async () => {
    await using world = await warm();
    const { here, good, bad } = world;
    await flip(here.store, bad);
    const config = { storage: { path: here.store, verifyRate: '1GiB' } };
    await using server = await here.serve({ config });
    await until(
      'the flipped byte is found',
      async () => !(await visible(here.store)).includes(bad),
    );
    assert.ok((await visible(here.store)).includes(good));
    await heals(world, server);
    const labels = { reason: 'digest' };
    assert.equal(await metric(server.url, 'layover_integrity_failures_total', labels), 1);
    await server.process.until(new RegExp(`${bad}.*wrong`));
  });

  for (const when of ['without a server', 'beside a running server']) {
    test(`layover verify ${when} names a flipped byte's digest, exits with 1, and the blob is healed`, async () => {
      await using world = await warm();
      const { here, good, bad } = world;
      await using stack = new AsyncDisposableStack();
      const serve = async () => stack.use(await here.serve({ config: quiet(here) }));
      const running = when === 'without a server' ? undefined : await serve();
      const sound = await attempt(LAUNCHER, ['verify', '--storage', here.store]);
      assert.equal(sound.code, 0, sound.stderr);
      assert.equal(sound.stdout, '');
      await flip(here.store, bad);
      const found = await attempt(LAUNCHER, ['verify', '--storage', here.store]);
      assert.equal(found.code, 1);
      assert.match(found.stdout, new RegExp(bad));
      assert.doesNotMatch(found.stdout, new RegExp(good));
      await heals(world, running ?? (await serve()));
      const again = await attempt(LAUNCHER, ['verify', '--storage', here.store]);
      assert.equal(again.code, 0, again.stdout);
    });
  }

  test('a manifest that is cut or altered on disk is never served', async () => {
    await using here = await badWorld();
    const { manifest } = here.upstream.addImage(REPOSITORY, 'v1', { layers: ['a layer'] });
    for (const damage of ['flip', 'cut'] as const) {
      await using server = await here.serve({ config: quiet(here) });
      const answer = await pull(server.url + manifestPath(REPOSITORY, 'v1'));
      assert.equal(sha256Of(answer.body), manifest.digest);
      await until('the manifest is stored', async () =>
        (await visible(here.store)).includes(manifest.digest),
      );
      await server.process.stop('SIGTERM');
      if (damage === 'flip') await flip(here.store, manifest.digest);
      else {
        await chmod(blobFile(here.store, manifest.digest), 0o644);
        await truncate(blobFile(here.store, manifest.digest), 20);
      }
      await using again = await here.serve({ config: quiet(here) });
      for (const at of ['v1', manifest.digest]) {
        const { status, body } = await pull(again.url + manifestPath(REPOSITORY, at));
        assert.equal(status, 200);
        assert.equal(sha256Of(body), manifest.digest, `${damage} ${at}`);
      }
      await again.process.stop('SIGTERM');
      assert.deepEqual(await wrong(here.store), []);
    }
  });
});
