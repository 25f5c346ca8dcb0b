import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { suite, test } from 'node:test';
import { RegistryError } from '../../src/core/errors.ts';
import { contentCache } from '../../src/image/cache/cached.ts';
import { client } from '../../src/image/client.ts';
import { parseLocation } from '../../src/image/location.ts';
import { pull, type TransferOptions } from '../../src/image/pull.ts';
import { push } from '../../src/image/push.ts';
import { collect } from '../fixtures/collect.ts';
import { MemorySource } from '../fixtures/memory-source.ts';
import { Registry } from '../fixtures/registry.ts';
import { temporaryFolder } from '../fixtures/temporary.ts';
import { putImage, putIndex, REPOSITORY } from './image-world.ts';

/** Two registries, one of which has an index of two platforms, and a folder for everything else. */
async function world(options: { readonly cached?: 'no' } = {}) {
  const stack = new AsyncDisposableStack();
  const folder = stack.use(await temporaryFolder()).path;
  const [near, far] = [stack.use(new Registry({})), stack.use(new Registry({}))];
  await Promise.all([near.listen(), far.listen()]);
  const cache = stack.use(contentCache({ folder: path.join(folder, 'cache'), maxSize: 2 ** 40 }));
  const clientFor = () =>
    stack.use(client({ plainHttp: true, ...(options.cached !== 'no' && { cache }) }));
  const source = new MemorySource();
  const images = ['amd64', 's390x'].map((architecture, seed) =>
    putImage(source, {
      platform: { os: 'linux', architecture },
      seed,
      layers: [900_000, 300_000, 20_000],
    }),
  );
  const index = putIndex(
    source,
    images.map(({ manifest }, at) => [
      manifest,
      { platform: { os: 'linux', architecture: ['amd64', 's390x'][at] ?? '' } },
    ]),
    ['v1'],
  );
  const fill = async (): Promise<void> => {
    await using into = await clientFor().write(parseLocation(`${near.host}/team/app:v1`));
    await push({
      into,
      images: [{ source, repository: REPOSITORY, at: index.descriptor.digest, to: into }],
    });
    near.requests.length = 0;
  };
  await fill();
  const tools = clientFor();
  const move = async (
    how: typeof pull,
    from: string,
    to: string,
    more: Partial<TransferOptions> = {},
  ) => {
    await using opened = await tools.read(parseLocation(from));
    await using into = await tools.write(parseLocation(to), {
      name: { repository: opened.repository, at: opened.at },
      signal: more.signal,
    });
    return await how({ into, images: [{ ...opened, to: into }], ...more });
  };
  return {
    folder,
    near,
    far,
    tools,
    images,
    index,
    move,
    name: `${near.host}/team/app:v1`,
    file: (name: string) => path.join(folder, name),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

const BLOBS = { method: 'GET', path: /\/blobs\// };
const one = {
  selection: { kind: 'one', platform: { os: 'linux', architecture: 's390x' } },
} as const;

async function digestAt(tools: ReturnType<typeof client>, location: string): Promise<string> {
  await using opened = await tools.read(parseLocation(location));
  return (await opened.source.resolve(opened.repository, opened.at)).descriptor.digest;
}

suite('pull and push', () => {
  test('an index goes to a layout, from there to another registry, and is the same', async () => {
    await using it = await world();
    await it.move(pull, it.name, `oci:${it.file('layout')}:v1`, { selection: { kind: 'all' } });
    const pushed = await it.move(
      push,
      `oci:${it.file('layout')}:v1`,
      `${it.far.host}/else/where:v2`,
    );
    assert.equal(pushed.manifests, 3);
    assert.equal(
      await digestAt(it.tools, `${it.far.host}/else/where:v2`),
      it.index.descriptor.digest,
    );
    const again = await it.move(
      push,
      `oci:${it.file('layout')}:v1`,
      `${it.far.host}/else/where:v2`,
    );
    assert.equal(again.blobs.present, 8);
  });

  test('a second pull fetches no byte of a blob', async () => {
    await using it = await world();
    await it.move(pull, it.name, `docker-archive:${it.file('a.tar')}`, one);
    assert.ok(it.near.bytesSent(BLOBS) > 1_000_000);
    it.near.requests.length = 0;
    const again = await it.move(pull, it.name, `oci-archive:${it.file('b.tar')}`, one);
    assert.equal(it.near.bytesSent(BLOBS), 0);
    assert.ok(again.bytes.cache > 1_000_000);
    assert.equal(again.bytes.upstream, 0);
    const { manifest, layers, bytes } = it.images[1] as (typeof it.images)[number];
    const place = `oci-archive:${it.file('b.tar')}`;
    assert.equal(await digestAt(it.tools, place), manifest.descriptor.digest);
    await using opened = await it.tools.read(parseLocation(place));
    for (const { digest } of layers) {
      await using blob = await opened.source.blob(opened.repository, digest);
      assert.ok((await collect(blob.body)).equals(bytes.get(digest) ?? Buffer.alloc(0)));
    }
  });

  for (const cached of [undefined, 'no'] as const) {
    test(`a body that is cut is gone on with, ${cached === 'no' ? 'without a cache' : 'into the cache'}`, async () => {
      await using it = await world(cached === undefined ? {} : { cached });
      it.near.misbehave({ ...BLOBS, times: 2 }, { kind: 'cut', at: 150_000 });
      const pulled = await it.move(pull, it.name, `docker-archive:${it.file('a.tar')}`, one);
      assert.equal(pulled.manifests, 1);
    });
  }

  test('bytes that are not what the digest says leave no file', async () => {
    await using it = await world();
    it.near.misbehave(BLOBS, { kind: 'flip', at: 10 });
    await assert.rejects(
      it.move(pull, it.name, `docker-archive:${it.file('a.tar')}`, one),
      RegistryError,
    );
    assert.deepEqual((await readdir(it.folder)).toSorted(), ['cache']);
  });

  test('an interruption leaves no file, and the next pull goes on', async () => {
    await using it = await world();
    const controller = new AbortController();
    let read = 0;
    await assert.rejects(
      it.move(pull, it.name, `docker-archive:${it.file('a.tar')}`, {
        ...one,
        signal: controller.signal,
        observe: (event) => {
          if (event.type === 'blob-read') read += event.bytes;
          if (read > 300_000) controller.abort();
        },
      }),
      (error) => error instanceof RegistryError && error.code === 'INTERRUPTED',
    );
    assert.deepEqual((await readdir(it.folder)).toSorted(), ['cache']);
    const pulled = await it.move(pull, it.name, `docker-archive:${it.file('a.tar')}`, one);
    assert.ok(pulled.bytes.cache >= 300_000);
  });

  test('no image for the platform leaves no file', async () => {
    await using it = await world();
    const platform = { os: 'plan9', architecture: 'sparc' };
    await assert.rejects(
      it.move(pull, it.name, `docker-archive:${it.file('a.tar')}`, {
        selection: { kind: 'one', platform },
      }),
      (error) => error instanceof RegistryError && error.code === 'MANIFEST_UNKNOWN',
    );
    assert.deepEqual((await readdir(it.folder)).toSorted(), ['cache']);
  });
});
