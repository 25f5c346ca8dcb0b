import assert from 'node:assert/strict';
import { chmod, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { suite, test } from 'node:test';
import type { Descriptor } from '../../../src/core/descriptor.ts';
import { MEDIA_TYPES } from '../../../src/core/media-type.ts';
import { parsePlatform } from '../../../src/core/platform.ts';
import { parseTag } from '../../../src/core/reference.ts';
import { storeSource } from '../../../src/image/store-source.ts';
import { buildImage, type BuiltImage } from '../../fixtures/image-builder.ts';
import { file } from '../../fixtures/layer-builder.ts';
import { failsWith } from '../archive/source-contract.ts';
import {
  APP,
  exported,
  filled,
  flipped,
  keep,
  manyPlatforms,
  openWorld,
  seen,
  tag,
  type World,
} from './world.ts';

const AMD64 = [parsePlatform('linux/amd64')];
const ARM64 = [parsePlatform('linux/arm64')];
const ALL = ['docker.io/**'];
const hex = (digest: string): string => digest.slice('sha256:'.length);

/** A bundle, and one that goes on from it: another image, and the same one again. */
async function bundles() {
  await using here = await openWorld();
  const image = await filled(here);
  const first = await exported(here, ALL);
  const newer = manyPlatforms('newer');
  await keep(here.store, newer, [newer.parts.index, ...newer.parts.first, ...newer.parts.second]);
  await tag(here.store, APP, 'newer', newer.index.descriptor);
  const second = await exported(here, ALL, { since: first.lock });
  await tag(here.store, APP, 'other', image.index.descriptor);
  const renamed = await exported(here, ['docker.io/library/app:other'], { since: first.lock });
  return { image, newer, first: first.bytes, second, renamed };
}

const { image, newer, first, second, renamed } = await bundles();
const own = (built: BuiltImage): Descriptor => {
  const [, layer] = built.layers;
  assert.ok(layer);
  return layer;
};

/** A damaged or lost file of a store, however it came to be so. */
const HARM = {
  lost: (name: string) => rm(name),
  'cut short': async (name: string) => {
    await chmod(name, 0o600);
    await truncate(name, 3);
  },
  flipped: async (name: string) => {
    await chmod(name, 0o600);
    await writeFile(name, flipped(await readFile(name), 3));
  },
} as const;

async function pulls(there: World, name: string, built: typeof image, platform: BuiltImage) {
  const source = storeSource(there.store.paths);
  const at = parseTag(name);
  assert.deepEqual((await source.manifest(APP, at)).bytes, built.index.bytes);
  for (const { manifest, config } of [built.first, built.second]) {
    await source.manifest(APP, manifest.descriptor.digest);
    await source.stat(APP, config.digest);
  }
  for (const { digest } of platform.layers) await source.stat(APP, digest);
}

suite('what goes on from a bundle of which some platforms were imported', () => {
  test('lacks nothing for the same platforms', async () => {
    await using there = await openWorld();
    await there.import(first, { platforms: AMD64 });
    const { images } = await there.import(second.bytes, { platforms: AMD64 });
    assert.deepEqual(
      images.map(({ name, outcome, without }) => [name, outcome, without]),
      [
        ['docker.io/library/app:latest', 'same', []],
        ['docker.io/library/app:newer', 'new', []],
      ],
    );
    await pulls(there, 'newer', newer, newer.first);
    const names = (await seen(there.folder)).join('\n');
    for (const built of [image, newer]) assert.ok(!names.includes(hex(own(built.second).digest)));
  });

  test('also where it brings names alone', async () => {
    assert.ok(renamed.lock.content.every((one) => one.in === 'base'));
    await using there = await openWorld();
    await there.import(first, { platforms: AMD64 });
    const options = { platforms: AMD64, lock: renamed.lock };
    const { images, blobs } = await there.import(renamed.bytes, options);
    assert.deepEqual([images.map(({ outcome }) => outcome), blobs], [['new'], 0]);
    await pulls(there, 'other', image, image.first);
  });

  test('and one that goes on from that one, too', async () => {
    await using here = await openWorld();
    await here.import(first);
    await here.import(second.bytes);
    await filled(here, 'newest');
    const third = await exported(here, ALL, { since: second.lock });
    await using there = await openWorld();
    for (const bytes of [first, second.bytes])
      await there.import(bytes, { platforms: AMD64, tags: 'overwrite' });
    const { images } = await there.import(third.bytes, { platforms: AMD64, tags: 'overwrite' });
    assert.deepEqual(
      images.map(({ outcome }) => outcome),
      ['moved', 'same'],
    );
  });

  for (const [what, platforms] of [
    ['others', ARM64],
    ['all', undefined],
  ] as const) {
    test(`lacks what is wanted for ${what}`, async () => {
      await using there = await openWorld();
      await there.import(first, { platforms: AMD64 });
      const before = await seen(there.folder);
      await assert.rejects(there.import(second.bytes, { platforms }), (error: Error) => {
        const { digest } = own(image.second);
        failsWith('BLOB_UNKNOWN', new RegExp(`${digest}.*goes on from`))(error);
        assert.equal(error.message.split('\n').length, 2, error.message);
        return true;
      });
      assert.deepEqual(await seen(there.folder), before);
    });
  }

  test('lacks nothing for fewer platforms', async () => {
    await using there = await openWorld();
    await there.import(first, { platforms: [...AMD64, ...ARM64] });
    await there.import(second.bytes, { platforms: ARM64 });
    await pulls(there, 'newer', newer, newer.second);
  });

  const signature = image.parts.signature;
  const wanted: Readonly<Record<string, Descriptor | undefined>> = {
    'a layer': own(image.first),
    'a layer that platforms share': image.first.layers[0],
    'a configuration': image.first.config,
    'the configuration of another platform, which clients ask for': image.second.config,
    'the manifest of another platform': image.second.manifest.descriptor,
    'a manifest': image.first.manifest.descriptor,
    'the index': image.index.descriptor,
    'what refers to it': signature[0],
    'a part of what refers to it': signature[2],
  };
  for (const [what, part] of Object.entries(wanted)) {
    for (const [harm, how] of Object.entries(HARM)) {
      test(`${what} that is ${harm} is lacking, and comes with the first once more`, async () => {
        assert.ok(part);
        await using there = await openWorld();
        await there.import(first, { platforms: AMD64 });
        await how(there.store.paths.blob(part.digest));
        const before = await seen(there.folder);
        const again = () => there.import(second.bytes, { platforms: AMD64, lock: second.lock });
        await assert.rejects(again(), failsWith('BLOB_UNKNOWN', new RegExp(part.digest)));
        const visible = (names: readonly string[]): readonly string[] =>
          names.filter((name) => !name.includes(hex(part.digest)));
        assert.deepEqual(visible(await seen(there.folder)), visible(before));
        await there.import(first, { platforms: AMD64 });
        await again();
        await pulls(there, 'newer', newer, newer.first);
      });
    }
  }

  test('what is damaged and not wanted is of no consequence', async () => {
    await using there = await openWorld();
    await there.import(first);
    await HARM.flipped(there.store.paths.blob(own(image.second).digest));
    await there.import(second.bytes, { platforms: AMD64 });
    await pulls(there, 'newer', newer, newer.first);
  });

  test('an index of indexes, and what refers to one that nobody wants', async () => {
    await using here = await openWorld();
    const { source, parts } = image;
    const windows = buildImage([[file('own', 'windows')]], {
      source,
      repository: APP,
      config: { os: 'windows' },
    });
    const index = (manifests: readonly object[]) =>
      source.putManifest(APP, { schemaVersion: 2, mediaType: MEDIA_TYPES.ociIndex, manifests });
    const inner = index([
      {
        ...windows.manifest.descriptor,
        platform: { os: 'windows', architecture: 'amd64' },
      },
    ]);
    const outer = index([
      { ...image.first.manifest.descriptor, platform: { os: 'linux', architecture: 'amd64' } },
      { ...inner.descriptor, platform: { os: 'windows', architecture: 'amd64' } },
    ]);
    const [, config, blob] = parts.signature;
    const signed = source.putManifest(APP, {
      schemaVersion: 2,
      mediaType: MEDIA_TYPES.ociManifest,
      artifactType: 'application/vnd.test.signature',
      config,
      layers: [blob],
      subject: inner.descriptor,
    });
    const inside = [windows.manifest.descriptor, windows.config, ...windows.layers];
    const all = [outer.descriptor, inner.descriptor, ...inside, ...parts.first];
    await keep(here.store, image, [...all, ...parts.signature.slice(1), signed.descriptor]);
    await here.store.referrers.set(APP, inner.descriptor.digest, {
      items: [{ ...signed.descriptor, artifactType: 'application/vnd.test.signature' }],
      checkedAt: 1,
    });
    await tag(here.store, APP, 'outer', outer.descriptor);
    const whole = await exported(here, ALL, { platforms: 'all', referrers: 'all' });
    assert.equal(whole.lock.images[0]?.referrers.length, 1);
    await tag(here.store, APP, 'again', outer.descriptor);
    const since = whole.lock;
    const rest = await exported(here, ALL, { platforms: 'all', referrers: 'all', since });
    await using there = await openWorld();
    await there.import(whole.bytes, { platforms: AMD64 });
    assert.equal(await there.store.content.size(inner.descriptor.digest), undefined);
    const { images } = await there.import(rest.bytes, { platforms: AMD64 });
    assert.deepEqual(
      images.map(({ name, outcome }) => [name, outcome]),
      [
        ['docker.io/library/app:again', 'new'],
        ['docker.io/library/app:outer', 'same'],
      ],
    );
    await rm(there.store.paths.blob(own(image.first).digest));
    await assert.rejects(
      there.import(rest.bytes, { platforms: AMD64, tags: 'overwrite' }),
      failsWith('BLOB_UNKNOWN', new RegExp(own(image.first).digest)),
    );
  });
});
