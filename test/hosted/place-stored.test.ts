import assert from 'node:assert/strict';
import { stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { suite, test } from 'node:test';
import { digestOf } from '../../src/core/digest.ts';
import { MEDIA_TYPES } from '../../src/core/media-type.ts';
import { parseTag } from '../../src/core/reference.ts';
import type { StoredManifest } from '../../src/hosted/place-stored.ts';
import {
  bytes,
  code,
  imageBytes,
  indexBytes,
  openWorld,
  pushBlob,
  pushImage,
  put,
  repository,
  temporary,
  type World,
} from './world.ts';

const [one, two, three] = ['apps/one', 'apps/two', 'apps/three'].map(repository) as [
  ReturnType<typeof repository>,
  ReturnType<typeof repository>,
  ReturnType<typeof repository>,
];
const v1 = parseTag('v1');

/** A manifest as an import has it: content that no repository holds. */
async function stored(
  { paths }: World,
  to: ReturnType<typeof repository>,
  manifest: Uint8Array,
  ...tags: readonly string[]
): Promise<StoredManifest> {
  const digest = digestOf(manifest);
  await writeFile(paths.blob(digest), manifest);
  const { mediaType: contentType } = JSON.parse(Buffer.from(manifest).toString()) as {
    mediaType: string;
  };
  return {
    repository: to,
    put: { bytes: manifest, contentType, digest, tags: tags.map((tag) => parseTag(tag)) },
  };
}

/** The manifest of an image whose blobs the repository holds. */
async function imageOf(world: World, to: ReturnType<typeof repository>, text: string) {
  const config = await pushBlob(world, to, bytes(`{"config":"${text}"}`));
  return imageBytes({ config, layers: [await pushBlob(world, to, bytes(`layer of ${text}`))] });
}

suite('manifests that are stored', () => {
  test('come to several repositories at once, an index before what it lists, with other files', async (t) => {
    const world = await openWorld(await temporary(t));
    const image = await imageOf(world, one, 'a');
    const manifest = {
      mediaType: MEDIA_TYPES.ociManifest,
      digest: digestOf(image),
      size: image.length,
    };
    const index = await stored(world, one, indexBytes([manifest]), 'v1');
    const other = await stored(world, two, await imageOf(world, two, 'b'), 'v1', 'latest');
    const name = path.join(world.paths.root, 'repositories', 'other');
    await world.hosted.place(
      [index, await stored(world, one, image), other],
      [{ name, text: 'told' }],
    );
    const told = await world.hosted.manifest(one, v1);
    assert.equal(told.descriptor.digest, index.put.digest);
    assert.deepEqual((await world.hosted.manifest(one, manifest.digest)).bytes, Buffer.from(image));
    assert.deepEqual((await world.hosted.tags(two)).items, ['latest', 'v1']);
    assert.equal((await stat(name)).size, 4);
  });

  test('are none of them there if one lists what its repository does not have', async (t) => {
    const world = await openWorld(await temporary(t), { sparse: 'none' });
    const right = await stored(world, one, await imageOf(world, one, 'a'), 'v1');
    // The blobs are another repository's.
    const wrong = await stored(world, two, await imageOf(world, three, 'b'), 'v1');
    const name = path.join(world.paths.root, 'repositories', 'other');
    await assert.rejects(
      world.hosted.place([right, wrong], [{ name, text: 'told' }]),
      code('MANIFEST_BLOB_UNKNOWN'),
    );
    await assert.rejects(world.hosted.manifest(one, v1), code('MANIFEST_UNKNOWN'));
    await assert.rejects(stat(name), code('ENOENT'));
  });

  test('wait for nobody who waits for them, whatever the order they are given in', async (t) => {
    const world = await openWorld(await temporary(t));
    const orders = [
      [one, two, three],
      [three, two, one],
      [two, three, one],
    ];
    const images = await Promise.all(
      [one, two, three].map(async (to) => [to, await imageOf(world, to, 'same')] as const),
    );
    const given = await Promise.all(
      orders.map((order) =>
        Promise.all(
          order.map((to) => {
            const [, image = bytes('')] = images.find(([name]) => name === to) ?? [];
            return stored(world, to, image, 'v1');
          }),
        ),
      ),
    );
    await Promise.all([
      ...given.map((manifests) => world.hosted.place(manifests, [])),
      ...[one, two, three].map((to) => pushImage(world, to, 'pushed', 'v2')),
      Array.fromAsync(world.hosted.collect('collect')),
    ]);
    for (const to of [one, two, three]) {
      assert.deepEqual((await world.hosted.tags(to)).items, ['v1', 'v2']);
      await put(world, to, images[0]?.[1] ?? bytes(''), 'v3');
    }
  });
});
