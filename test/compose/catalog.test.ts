import assert from 'node:assert/strict';
import { rm, symlink } from 'node:fs/promises';
import { test } from 'node:test';
import { openAlone } from '../../src/compose/alone.ts';
import { createCatalog } from '../../src/compose/catalog.ts';
import { openHosted } from '../../src/compose/hosted.ts';
import { load } from '../../src/config/load.ts';
import { digestOf } from '../../src/core/digest.ts';
import { parseTag } from '../../src/core/reference.ts';
import { diskLinks } from '../../src/store/links.ts';
import { Paths } from '../../src/store/paths.ts';
import { confirmed, diskTags } from '../../src/store/tags.ts';
import { temporaryFolder } from '../fixtures/temporary.ts';
import { openWorld, pushBlob, pushImage, repository } from '../hosted/world.ts';

async function setUp() {
  const folder = await temporaryFolder();
  const paths = new Paths(folder.path);
  const add = async (host: string, name: string) => {
    const descriptor = { mediaType: 'a/b', digest: digestOf(Buffer.from('a')), size: 1 };
    const record = confirmed(undefined, descriptor, 1);
    await diskTags(paths).set({ host, path: name }, parseTag('v1'), record);
  };
  await add('docker.io', 'library/x');
  await add('quay.io', 'org/y');
  const clock = { now: 0 };
  const catalog = createCatalog({ paths, now: () => clock.now });
  return {
    paths,
    add,
    clock,
    catalog,
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  };
}

test('names are those of one upstream, or all with the name of theirs', async () => {
  await using world = await setUp();
  assert.deepEqual(await world.catalog(undefined), ['docker.io/library/x', 'quay.io/org/y']);
  assert.deepEqual(await world.catalog('quay.io'), ['org/y']);
  assert.deepEqual(await world.catalog('ghcr.io'), []);
});

test('what was cached of upstreams that are none any more is not listed', async () => {
  await using world = await setUp();
  const { paths } = world;
  const catalog = createCatalog({ paths, serves: (host) => host === 'quay.io' });
  assert.deepEqual(await catalog(undefined), ['quay.io/org/y']);
});

test('those who ask at once share one walk', async () => {
  await using world = await setUp();
  const [first, ...others] = await Promise.all(
    Array.from({ length: 50 }, () => world.catalog(undefined)),
  );
  for (const other of others) assert.equal(other, first);
});

test('a walk is good for a few seconds, and not for longer', async () => {
  await using world = await setUp();
  const { add, catalog, clock } = world;
  await catalog('quay.io');
  await add('quay.io', 'org/z');
  clock.now = 2_000;
  assert.deepEqual(await catalog('quay.io'), ['org/y']);
  clock.now = 10_000;
  assert.deepEqual(await catalog('quay.io'), ['org/y', 'org/z']);
});

test('a walk that failed is not kept', async () => {
  await using world = await setUp();
  const { paths, add, catalog } = world;
  await rm(paths.repositories, { recursive: true });
  await symlink('repositories', paths.repositories);
  await assert.rejects(catalog('quay.io'), { code: 'ELOOP' });
  await rm(paths.repositories);
  await add('quay.io', 'org/y');
  assert.deepEqual(await catalog('quay.io'), ['org/y']);
});

test('a repository that is pushed to for the first time is listed at once, by its name alone', async () => {
  await using folder = await temporaryFolder();
  const world = await openWorld(folder.path);
  let edition = 0;
  const catalog = createCatalog({ paths: world.paths, now: () => 0, edition: () => edition });
  assert.deepEqual(await catalog(undefined), []);
  await pushImage(world, repository('apps/api'), 'one', 'v1');
  edition += 1;
  assert.deepEqual(await catalog(undefined), ['apps/api']);
});

test('a repository is listed from its first manifest on, and not after its last', async () => {
  await using folder = await temporaryFolder();
  const text = `storage: { path: ${folder.path} }\n`;
  const { config } = load({ file: { name: 'c', text }, environment: {}, overrides: [] });
  await using store = await openAlone(config);
  await using hosted = openHosted(() => config, store);
  const { paths, records } = store;
  const world = { hosted: hosted.repositories, records, paths, mirrored: diskLinks(paths) };
  const catalog = createCatalog({ paths, now: () => 0, edition: hosted.edition });
  const apps = repository('apps/api');
  for (let round = 0; round < 2; round += 1) {
    await pushBlob(world, apps, Buffer.from('on its way'));
    assert.deepEqual(await catalog(undefined), []);
    const { manifest } = await pushImage(world, apps, 'one', 'v1');
    assert.deepEqual(await catalog(undefined), ['apps/api']);
    await world.hosted.changes.deleteTag(apps, parseTag('v1'));
    assert.deepEqual(await catalog(undefined), ['apps/api']);
    await world.hosted.changes.deleteManifest(apps, manifest.digest);
    assert.deepEqual(await catalog(undefined), []);
  }
});
