import assert from 'node:assert/strict';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { suite, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { digestOf, hexOf } from '../../../src/core/digest.ts';
import { parseImageManifest } from '../../../src/core/image-manifest.ts';
import { parseReference } from '../../../src/image/location.ts';
import { archiveBytes } from '../../../src/image/bundle/archive-bytes.ts';
import { storeSource } from '../../../src/image/store-source.ts';
import { walkTar } from '../../../src/layer/tar.ts';
import { file, folder, symlink, tarOf, type Item } from '../../fixtures/layer-builder.ts';
import { temporaryFolder } from '../../fixtures/temporary.ts';
import { failsWith } from '../archive/source-contract.ts';
import { exported, filled, once, openWorld, seen, type World } from './world.ts';

const first = tarOf([file('a', 'first')]);
const second = tarOf([file('b', 'second')]);
const config = Buffer.from(
  JSON.stringify({
    architecture: 'amd64',
    os: 'linux',
    rootfs: { type: 'layers', diff_ids: [first, second, first].map((one) => digestOf(one)) },
  }),
);
const hex = hexOf(digestOf(config));

/** As docker wrote it before version 25: a folder a layer, and links to layers that come again. */
function old(names: readonly string[] = ['app:1', 'quay.io/team/app:2']): readonly Item[] {
  const list = [
    {
      Config: `${hex}.json`,
      RepoTags: names,
      Layers: ['1/layer.tar', '2/layer.tar', '3/layer.tar'],
    },
  ];
  return [
    folder('1'),
    file('1/VERSION', '1.0'),
    file('1/json', '{}'),
    file('1/layer.tar', first),
    file('2/layer.tar', second),
    symlink('3/layer.tar', '../1/layer.tar'),
    file(`${hex}.json`, config),
    file('manifest.json', JSON.stringify(list)),
    file('repositories', '{}'),
  ];
}

async function layers(world: World, name: string): Promise<readonly string[]> {
  const { repository, at } = parseReference(name);
  const source = storeSource(world.store.paths);
  const { bytes } = await source.manifest(repository, at);
  return parseImageManifest(bytes).layers.map(({ digest }) => digest);
}

suite('what docker saves', () => {
  const wanted = [first, second, first].map((one) => digestOf(one));

  test('the old way, with links, in any order', async () => {
    for (const items of [old(), old().toReversed()]) {
      await using world = await openWorld();
      const { images } = await world.import(tarOf(items));
      assert.deepEqual(
        images.map(({ name }) => name),
        ['docker.io/library/app:1', 'quay.io/team/app:2'],
      );
      assert.deepEqual(await layers(world, 'app:1'), wanted);
      assert.deepEqual(await layers(world, 'quay.io/team/app:2'), wanted);
      const content = (await seen(world.folder)).filter((name) => name.startsWith('blobs'));
      assert.equal(content.length, 4, 'two layers, a configuration and a manifest');
      assert.equal(world.store.housekeeping.ledger.partial, 0);
      assert.deepEqual(await readdir(world.store.paths.uploads), []);
    }
  });

  test('compressed', async () => {
    await using world = await openWorld();
    await world.import(gzipSync(tarOf(old())));
    assert.deepEqual(await layers(world, 'app:1'), wanted);
  });

  test('without a name it is called as is said', async () => {
    await using world = await openWorld();
    await assert.rejects(world.import(tarOf(old([]))), failsWith('NAME_INVALID', /--as/));
    assert.deepEqual(await seen(world.folder), []);
    const as = parseReference('ghcr.io/team/app:3');
    const { images } = await world.import(tarOf(old([])), { as });
    assert.deepEqual(
      images.map(({ name }) => name),
      ['ghcr.io/team/app:3'],
    );
    await assert.rejects(
      world.import(tarOf([...old()]), { as: parseReference('nowhere.test/x:1') }),
      failsWith('NAME_UNKNOWN', /upstreams\.nowhere\.test/),
    );
  });

  test('a layer that is not the one that the configuration lists', async () => {
    await using world = await openWorld();
    const items = old().map((item) =>
      item.name === '2/layer.tar' ? file('2/layer.tar', tarOf([file('b', 'another')])) : item,
    );
    await assert.rejects(
      world.import(tarOf(items)),
      failsWith('DIGEST_INVALID', new RegExp(digestOf(second))),
    );
    assert.deepEqual(await seen(world.folder), []);
    assert.equal(world.store.housekeeping.ledger.used, 0);
  });

  test('a layer that leads out of the archive', async () => {
    await using world = await openWorld();
    const items = old().map((item) =>
      item.name === '3/layer.tar' ? symlink('3/layer.tar', '../../../../../etc/passwd') : item,
    );
    await assert.rejects(
      world.import(tarOf(items)),
      failsWith('BLOB_UNKNOWN', /3\/layer\.tar.*which is not in it/),
    );
    assert.deepEqual(await seen(world.folder), []);
  });
});

test('a folder that is no layout is refused before anything of it is read', async () => {
  await using folder = await temporaryFolder();
  await writeFile(path.join(folder.path, 'notes.txt'), 'not for a registry');
  await assert.rejects(
    archiveBytes(folder.path),
    failsWith('MANIFEST_INVALID', /neither an index\.json nor a manifest\.json/),
  );
});

test('an image layout in a folder is as good as one in a tar', async () => {
  await using here = await openWorld();
  const image = await filled(here);
  const { bytes, file: bundle } = await exported(here, ['docker.io/**']);
  const unpacked = path.join(bundle, '..', 'unpacked');
  for await (const entry of walkTar(once(bytes))) {
    const name = path.join(unpacked, entry.name);
    await mkdir(path.dirname(name), { recursive: true });
    const parts: Uint8Array[] = [];
    for await (const part of entry.content()) parts.push(Uint8Array.from(part));
    await writeFile(name, Buffer.concat(parts));
  }
  await using there = await openWorld();
  const { images } = await there.import((await archiveBytes(unpacked)).bytes);
  assert.equal(images[0]?.digest, image.index.descriptor.digest);
});
