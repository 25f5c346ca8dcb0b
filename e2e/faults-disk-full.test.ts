import assert from 'node:assert/strict';
import { rm, statfs, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { freePort } from '../test/bench/port.ts';
import { gate } from '../test/fixtures/gate.ts';
import { generatedBytes } from '../test/fixtures/registry-content.ts';
import { badWorld, blobPath, manifestPath, type BadWorld } from './lib/bad-world.ts';
import { LAUNCHER, type Layover } from './lib/layover.ts';
import { metric } from './lib/metrics.ts';
import { start } from './lib/process.ts';
import { pull, responseTo, sha256Of } from './lib/pull.ts';
import { visible, wrong } from './lib/stored.ts';
import { noTmpfs, tmpfs, type Tmpfs } from './lib/tmpfs.ts';
import { until } from './lib/until.ts';

const MiB = 1024 * 1024;
const DISK = 64 * MiB;
const REPOSITORY = 'library/app';

interface Small extends AsyncDisposable {
  readonly here: BadWorld;
  readonly disk: Tmpfs;
  readonly store: string;
  serve(config?: Readonly<Record<string, unknown>>): Promise<Layover>;
  /** Fills the disk until so many bytes are left. */
  fill(left: number): Promise<void>;
  /** Makes room again. */
  empty(): Promise<void>;
}

/** Servers whose store is on a disk of its own that can be filled. */
async function small(): Promise<Small> {
  await using stack = new AsyncDisposableStack();
  const here = stack.use(await badWorld());
  const disk = stack.use(await tmpfs(here.scratch, 'disk', `size=${DISK}`));
  const store = join(disk.path, 'store');
  const filler = join(disk.path, 'filler');
  const whole = stack.move();
  return {
    here,
    disk,
    store,
    serve: async (config = {}) => {
      const server = await here.serve({
        config: { storage: { path: store, minFree: 0 }, ...config },
      });
      return whole.use(server);
    },
    fill: async (left) => {
      const { bavail, bsize } = await statfs(disk.path);
      try {
        await writeFile(filler, Buffer.alloc(Math.max(0, bavail * bsize - left)));
      } catch (error) {
        // A server beside it writes, too.
        if (!(error instanceof Error && 'code' in error && error.code === 'ENOSPC')) throw error;
      }
    },
    empty: () => rm(filler),
    [Symbol.asyncDispose]: () => whole.disposeAsync(),
  };
}

async function free({ path }: Tmpfs): Promise<number> {
  const { bavail, bsize } = await statfs(path);
  return bavail * bsize;
}

async function ready({ url }: Layover): Promise<void> {
  assert.equal((await pull(`${url}/readyz`)).status, 200);
}

async function whole({ url }: Layover, digest: string): Promise<void> {
  const answer = await pull(url + blobPath(REPOSITORY, digest));
  assert.equal(answer.end, 'clean');
  assert.equal(sha256Of(answer.body), digest);
}

suite('a full disk', { skip: noTmpfs }, () => {
  test('in mid-download: clients of every speed get their bytes, nothing partial shows, it recovers', async () => {
    await using world = await small();
    const { here, store } = world;
    const generated = { size: 48 * MiB, seed: 7 };
    const [digest, bytes] = [here.upstream.addBlob(generated), generatedBytes(generated)];
    const { manifest } = here.upstream.addImage(REPOSITORY, 'v1', { layers: ['a small layer'] });
    const server = await world.serve();
    const url = server.url + blobPath(REPOSITORY, digest);
    assert.equal((await pull(server.url + manifestPath(REPOSITORY, 'v1'))).status, 200);
    await until('the manifest is stored', async () =>
      (await visible(store)).includes(manifest.digest),
    );
    const before = await visible(store);
    const [full, filled] = [gate(), gate()];
    here.upstream.misbehave(
      { path: /blobs/, times: 1 },
      { kind: 'slow', bytesPerSecond: 64 * MiB },
    );
    here.upstream.misbehave(
      { path: /blobs/, times: 1 },
      { kind: 'hold-body', at: 2 * MiB, gate: filled },
    );

    const still = await responseTo(url);
    // There was room for it when it began; somebody else takes it.
    await world.fill(12 * MiB);
    filled.open();
    let seen = 0;
    const slow = pull(url, {
      pace: async (chunk) => {
        seen += chunk.length;
        // It has read a little when everybody else is through.
        if (seen > 2 * MiB) await full.opened;
      },
    });
    const fast = [pull(url), pull(url)];
    const range = { headers: { range: `bytes=${20 * MiB}-${40 * MiB - 1}` } };
    const parts = [pull(url, range), pull(url, { headers: { range: `bytes=${30 * MiB}-` } })];

    for (const { end, body } of await Promise.all(fast)) {
      assert.equal(end, 'clean');
      assert.ok(body.equals(bytes));
    }
    const [middle, tail] = await Promise.all(parts);
    assert.equal(middle?.status, 206);
    assert.ok(middle.body.equals(bytes.subarray(20 * MiB, 40 * MiB)));
    assert.ok(tail?.body.equals(bytes.subarray(30 * MiB)));
    await ready(server);
    assert.ok(
      (await metric(server.url, 'layover_storage_errors_total', { operation: 'write' })) > 0,
    );
    assert.deepEqual(await visible(store), before);
    const known = await pull(server.url + manifestPath(REPOSITORY, 'v1'));
    assert.equal(sha256Of(known.body), manifest.digest);

    full.open();
    const late = await slow;
    assert.equal(late.end, 'clean');
    assert.ok(late.body.equals(bytes), 'the slow one has every byte');
    const chunks: Buffer[] = [];
    for await (const chunk of still) chunks.push(chunk);
    assert.ok(still.complete);
    assert.ok(Buffer.concat(chunks).equals(bytes), 'the one that stood still has every byte');

    await server.process.until(/"operation":"write".*ENOSPC/);
    await server.process.until(/"result":"unstored"/);
    await world.empty();
    await whole(server, digest);
    await until('it is stored', async () => (await visible(store)).includes(digest));
    const asked = here.upstream.count({ path: /blobs/ });
    await whole(server, digest);
    assert.equal(here.upstream.count({ path: /blobs/ }), asked);
    assert.deepEqual(await wrong(store), []);
  });

  for (const which of ['that was used before', 'that is new']) {
    test(`from the start, with a store ${which}: it serves what it can fetch, and stores later`, async () => {
      await using world = await small();
      const { here, store, disk } = world;
      const digest = here.upstream.addBlob({ size: 8 * MiB, seed: 9 });
      const { manifest } = here.upstream.addImage(REPOSITORY, 'v1', { layers: ['a small layer'] });
      if (which === 'that was used before') {
        const first = await world.serve();
        await first.process.stop('SIGTERM');
      }
      await world.fill(0);
      assert.equal(await free(disk), 0);
      const server = await world.serve({ tags: { freshFor: '1ms' } });
      await ready(server);
      for (let again = 0; again < 2; again += 1) {
        await whole(server, digest);
        const answer = await pull(server.url + manifestPath(REPOSITORY, 'v1'));
        assert.equal(answer.status, 200);
        assert.equal(sha256Of(answer.body), manifest.digest);
      }
      // A page that the index gives back is room for a manifest, not for the blob.
      assert.ok(!(await visible(store)).includes(digest));
      const [errors, refused] = ['storage_errors_total', 'storage_refused_total'];
      assert.ok(
        (await metric(server.url, `layover_${errors}`)) +
          (await metric(server.url, `layover_${refused}`)) >
          0,
      );
      await ready(server);
      await world.empty();
      await whole(server, digest);
      await until('the blob is stored', async () => (await visible(store)).includes(digest));
      assert.deepEqual(await server.process.stop('SIGTERM'), { code: 0, signal: null });
    });
  }

  test('somebody else fills it: what is cached makes way for what is asked for', async () => {
    await using world = await small();
    const { here, store } = world;
    const old = [1, 2, 3, 4].map((seed) => here.upstream.addBlob({ size: 8 * MiB, seed }));
    const server = await world.serve();
    for (const digest of old) {
      await whole(server, digest);
      await until('it is stored', async () => (await visible(store)).includes(digest));
    }
    await world.fill(0);
    const wanted = here.upstream.addBlob({ size: 12 * MiB, seed: 9 });
    await whole(server, wanted);
    await until('it is stored', async () => (await visible(store)).includes(wanted));
    const left = await visible(store);
    assert.ok(!left.includes(old[0]!) && left.includes(old[3]!), 'the oldest made way');
    assert.ok((await metric(server.url, 'layover_evictions_total', { reason: 'free-space' })) >= 2);
    assert.deepEqual(await wrong(store), []);
    await whole(server, old[0]!);
  });

  test('while tags, links and manifests are written: answered all the same, kept once there is room', async () => {
    await using world = await small();
    const { here, store } = world;
    const images = Array.from({ length: 20 }, (_, n) =>
      here.upstream.addImage(REPOSITORY, `v${n}`, {
        layers: [`a layer ${n}`],
        manifest: { annotations: { padding: 'x'.repeat(20_000) + n } },
      }),
    );
    const server = await world.serve({ tags: { freshFor: '1ms' } });
    await world.fill(0);
    const all = async (): Promise<void> => {
      for (const [n, image] of images.entries()) {
        const answer = await pull(server.url + manifestPath(REPOSITORY, `v${n}`));
        assert.equal(answer.status, 200);
        assert.equal(sha256Of(answer.body), image.manifest.digest);
        await whole(server, image.layers[0]!.digest);
      }
    };
    await all();
    await server.process.until(/"operation":"(record|link)".*ENOSPC/);
    await ready(server);
    assert.deepEqual(await wrong(store), []);
    await world.empty();
    await all();
    await until('every manifest is stored', async () => {
      await all();
      const seen = await visible(store);
      return images.every(({ manifest }) => seen.includes(manifest.digest));
    });
    await server.process.stop('SIGTERM');
    // What has been kept is enough for a server that cannot ask.
    const alone = await world.serve({ offline: true });
    for (const [n, { manifest }] of images.entries()) {
      const answer = await pull(alone.url + manifestPath(REPOSITORY, `v${n}`));
      assert.equal(answer.status, 200, `v${n}: ${answer.body.toString()}`);
      assert.equal(sha256Of(answer.body), manifest.digest);
      await whole(alone, images[n]!.layers[0]!.digest);
    }
  });
});

test('a log that the disk has no room for holds nobody up, neither at the start nor at the end', async () => {
  await using here = await badWorld();
  const { manifest } = here.upstream.addImage(REPOSITORY, 'v1', { layers: ['a small layer'] });
  const port = await freePort();
  const file = here.scratch.at('layover.yaml');
  const config = {
    listen: `127.0.0.1:${port}`,
    admin: { listen: '127.0.0.1:0' },
    storage: { path: here.scratch.at('store') },
    upstreams: { 'docker.io': { url: here.upstream.url } },
  };
  await writeFile(file, JSON.stringify(config));
  const line = 'exec "$0" serve --config "$1" >/dev/full';
  await using server = await start('sh', ['-c', line, LAUNCHER, file]);
  const url = `http://127.0.0.1:${port}`;
  await until('it serves', async () => {
    const answer = await pull(`${url}/readyz`).catch(() => undefined);
    return answer?.status === 200;
  });
  const answer = await pull(url + manifestPath(REPOSITORY, 'v1'));
  assert.equal(sha256Of(answer.body), manifest.digest);
  assert.deepEqual(await server.stop('SIGTERM'), { code: 0, signal: null });
});
