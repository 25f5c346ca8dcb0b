import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MEDIA_TYPES } from '../../../src/core/media-type.ts';
import { cachedImages, type CachedImage } from '../../../src/store/inventory/images.ts';
import { buildImage } from '../../fixtures/image-builder.ts';
import { file } from '../../fixtures/layer-builder.ts';
import { APP, keep, manyPlatforms, openWorld, tag, type World } from '../../image/bundle/world.ts';

async function imagesOf({ store }: World): Promise<readonly CachedImage[]> {
  const { paths, content, links, tags } = store;
  const { database, index, clock, past, keeper } = store.housekeeping;
  const view = { paths, content, links, tags, database, index, clock, past, keeper };
  return Array.fromAsync(cachedImages(view));
}

const platformsOf = (images: readonly CachedImage[]) =>
  images.map(({ platforms }) => platforms.join());

test('an image whose layer is not here is not here for its platform', async () => {
  await using world = await openWorld();
  const built = buildImage([[file('a', 'one')], [file('b', 'two')]], {
    repository: APP,
    tag: 'v1',
    config: { architecture: 'amd64', created: '2026-01-02T03:04:05Z' },
  });
  const [first, second] = built.layers;
  assert.ok(first !== undefined && second !== undefined);
  await keep(world.store, built, [built.manifest.descriptor, built.config, first]);
  await tag(world.store, APP, 'v1', built.manifest.descriptor);
  const [partly] = await imagesOf(world);
  assert.deepEqual(partly?.platforms, []);
  assert.equal(partly.created, '2026-01-02T03:04:05Z');
  await keep(world.store, built, [second]);
  assert.deepEqual(platformsOf(await imagesOf(world)), ['linux/amd64']);
});

test('an index of which configurations are here has no platform by that', async () => {
  await using world = await openWorld();
  const image = manyPlatforms();
  const { first, second, index } = image;
  const small = [first, second].flatMap(({ manifest, config }) => [manifest.descriptor, config]);
  await keep(world.store, image, [index.descriptor, ...small]);
  await tag(world.store, APP, 'latest', index.descriptor);
  assert.deepEqual(platformsOf(await imagesOf(world)), ['']);
  await keep(world.store, image, second.layers);
  assert.deepEqual(platformsOf(await imagesOf(world)), ['linux/arm64']);
});

test('an index that does not say what its image is for: the image says it', async () => {
  await using world = await openWorld();
  const built = buildImage([[file('a', 'one')]], { repository: APP, tag: 'v1' });
  const { source, config, layers, manifest } = built;
  const index = source.putManifest(
    APP,
    { schemaVersion: 2, mediaType: MEDIA_TYPES.ociIndex, manifests: [manifest.descriptor] },
    'latest',
  );
  await keep(world.store, built, [index.descriptor, manifest.descriptor, config]);
  await tag(world.store, APP, 'latest', index.descriptor);
  assert.deepEqual(platformsOf(await imagesOf(world)), ['']);
  await keep(world.store, built, layers);
  assert.deepEqual(platformsOf(await imagesOf(world)), ['linux/amd64']);
});
