import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { mkdir, readdir, readFile, readlink, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { digestOf, hexOf } from '../../../src/core/digest.ts';
import { openPlace } from '../../../src/image/archive/open-place.ts';
import { openSink } from '../../../src/image/archive/open-sink.ts';
import { pattern } from '../../fixtures/collect.ts';
import { temporaryFolder } from '../../fixtures/temporary.ts';
import { failsWith } from './source-contract.ts';
import { image, NAME, overlapping, placeOf, writeImage, writeTo } from './written.ts';

const WRITER = fileURLToPath(new URL('writer.ts', import.meta.url));

function inTar(file: string, name: string): unknown {
  return JSON.parse(execFileSync('tar', ['xOf', file, name], { encoding: 'utf8' }));
}

function namesIn(file: string): readonly string[] {
  return execFileSync('tar', ['tf', file], { encoding: 'utf8' }).trim().split('\n');
}

test("docker's archive is an OCI layout as well", async () => {
  await using folder = await temporaryFolder();
  const file = path.join(folder.path, 'x.tar');
  const { config, layers, manifest } = image();
  await writeTo(`docker-archive:${file}`);
  const at = ({ digest }: { digest: string }) => `blobs/sha256/${digest.slice(7)}`;
  assert.deepEqual(
    namesIn(file).toSorted(),
    [
      at(config),
      ...layers.map(at),
      at(manifest.descriptor),
      'oci-layout',
      'index.json',
      'manifest.json',
    ].toSorted(),
  );
  assert.deepEqual(inTar(file, 'manifest.json'), [
    { Config: at(config), RepoTags: ['docker.io/team/app:1.2'], Layers: layers.map(at) },
  ]);
  assert.deepEqual(inTar(file, 'oci-layout'), { imageLayoutVersion: '1.0.0' });
  assert.deepEqual(inTar(file, 'index.json'), {
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.index.v1+json',
    manifests: [
      {
        ...manifest.descriptor,
        annotations: {
          'io.containerd.image.name': 'docker.io/team/app:1.2',
          'org.opencontainers.image.ref.name': '1.2',
        },
      },
    ],
  });
});

test("imgpull's archive: flat, keys in lower case, three spaces", async () => {
  await using folder = await temporaryFolder();
  const file = path.join(folder.path, 'x.tar');
  const { config, layers } = image();
  await writeTo(`docker-archive:${file}`, image(), { layout: 'imgpull' });
  const files = layers.map(({ digest }) => `${hexOf(digest)}.tar.gz`);
  assert.deepEqual(namesIn(file).toSorted(), [config.digest, ...files, 'manifest.json'].toSorted());
  const text = execFileSync('tar', ['xOf', file, 'manifest.json'], { encoding: 'utf8' });
  const list = [{ config: config.digest, repoTags: ['docker.io/team/app:1.2'], layers: files }];
  assert.equal(text, JSON.stringify(list, undefined, 3));
});

test("imgpull's archive of a digest says the digest", async () => {
  await using folder = await temporaryFolder();
  const file = path.join(folder.path, 'x.tar');
  const built = image();
  const at = built.manifest.descriptor.digest;
  await writeTo(`docker-archive:${file}`, built, {
    layout: 'imgpull',
    name: { repository: NAME.repository, at },
  });
  const [listed] = inTar(file, 'manifest.json') as readonly { repoTags: readonly string[] }[];
  assert.deepEqual(listed?.repoTags, [`docker.io/team/app@${at}`]);
  await using opened = await openPlace(placeOf(`docker-archive:${file}`));
  assert.deepEqual(opened.repository, NAME.repository);
});

test("crpy's archive: a folder a layer, with its version", async () => {
  await using folder = await temporaryFolder();
  const file = path.join(folder.path, 'x.tar');
  const { config, layers } = image();
  await writeTo(`docker-archive:${file}`, image(), { layout: 'crpy' });
  const hex = layers.map(({ digest }) => hexOf(digest));
  const files = hex.flatMap((name) => [`./${name}/layer.tar`, `./${name}/VERSION`]);
  assert.deepEqual(
    namesIn(file).toSorted(),
    [`./${hexOf(config.digest)}.json`, ...files, './manifest.json'].toSorted(),
  );
  assert.deepEqual(inTar(file, './manifest.json'), [
    {
      Config: `${hexOf(config.digest)}.json`,
      RepoTags: ['docker.io/team/app:1.2'],
      Layers: hex.map((name) => `${name}/layer.tar`),
    },
  ]);
  const version = execFileSync('tar', ['xOf', file, `./${hex[0]}/VERSION`], { encoding: 'utf8' });
  assert.equal(version, '1.0');
});

test('an image from a place without names gets none invented', async () => {
  await using folder = await temporaryFolder();
  const file = path.join(folder.path, 'x.tar');
  await writeTo(`oci:${folder.path}/lay:v1`);
  {
    await using from = await openPlace(placeOf(`oci:${folder.path}/lay`));
    await using opened = await openSink(placeOf(`docker-archive:${file}`), { name: from });
    await writeImage(opened.sink, opened, image());
    await opened.commit();
  }
  const [listed] = inTar(file, 'manifest.json') as readonly { RepoTags: readonly string[] }[];
  assert.deepEqual(listed?.RepoTags, []);
});

const TARGETS: readonly (readonly [what: string, target: string, saying: RegExp])[] = [
  ['a folder', 'docker-archive:FOLDER/folder', /it is a folder/],
  ['a folder that is not there', 'docker-archive:FOLDER/none/x.tar', /folder does not exist/],
  ['a folder that is a file', 'docker-archive:FOLDER/file/x.tar', /folder is a file/],
  ['a layout that is a file', 'oci:FOLDER/file', /no folder/],
  ['a layout in a folder that is not there', 'oci:FOLDER/none/x', /folder does not exist/],
];

for (const [what, target, saying] of TARGETS) {
  test(`${what} is no target`, async () => {
    await using folder = await temporaryFolder();
    await mkdir(path.join(folder.path, 'folder'));
    await writeFile(path.join(folder.path, 'file'), 'mine');
    const place = placeOf(target.replace('FOLDER', folder.path));
    await assert.rejects(openSink(place), failsWith('STORAGE_UNAVAILABLE', saying));
    assert.deepEqual((await readdir(folder.path)).toSorted(), ['file', 'folder']);
    assert.equal(await readFile(path.join(folder.path, 'file'), 'utf8'), 'mine');
  });
}

test('a link to an archive goes on being one', async () => {
  await using folder = await temporaryFolder();
  const [real, name] = [path.join(folder.path, 'real.tar'), path.join(folder.path, 'x.tar')];
  await writeFile(real, 'old');
  await symlink('real.tar', name);
  await writeTo(`docker-archive:${name}`);
  assert.equal(await readlink(name), 'real.tar');
  assert.ok(namesIn(real).includes('manifest.json'));
});

test('a disk that is full fails with words, and leaves nothing', async (context) => {
  await using folder = await temporaryFolder();
  const disk = path.join(folder.path, 'disk');
  await mkdir(disk);
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=512k', 'tmpfs', disk], { stdio: 'ignore' });
  } catch {
    context.skip('mounting is not allowed here');
    return;
  }
  try {
    for (const target of [`docker-archive:${disk}/x.tar`, `oci:${disk}/x`]) {
      await assert.rejects(writeTo(target), failsWith('STORAGE_UNAVAILABLE', /disk is full/));
      assert.deepEqual(await readdir(disk), []);
    }
  } finally {
    execFileSync('umount', [disk]);
  }
});

test('wrong content in a layout is replaced by what is right', async () => {
  await using folder = await temporaryFolder();
  const text = `oci:${folder.path}/x`;
  const built = image();
  await writeTo(text, built);
  const [large] = built.layers;
  assert.ok(large);
  const blob = path.join(folder.path, 'x/blobs/sha256', hexOf(large.digest));
  const right = await readFile(blob);
  await writeFile(blob, pattern(large.size, 99));
  await writeTo(text, built);
  // Buffers of this size are not handed to deepEqual: it would spell out how they differ.
  assert.ok((await readFile(blob)).equals(right));
});

test('what is in a layout already is not asked for', async () => {
  await using folder = await temporaryFolder();
  const text = `oci:${folder.path}/x`;
  const built = image();
  await writeTo(text, built);
  await using opened = await openSink(placeOf(text), { name: NAME });
  for (const descriptor of built.layers) {
    const placed = await opened.sink.blob(opened.repository, descriptor, () =>
      Promise.reject(new Error('asked')),
    );
    assert.equal(placed, 'present');
  }
});

test('a name in a layout moves; what others put there stays', async () => {
  await using folder = await temporaryFolder();
  const text = `oci:${folder.path}/x`;
  await writeTo(text, image(1));
  const index = path.join(folder.path, 'x/index.json');
  const foreign = {
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    digest: digestOf(Buffer.from('foreign')),
    size: 7,
    annotations: { 'org.opencontainers.image.ref.name': 'theirs' },
    custom: true,
  };
  const before = JSON.parse(await readFile(index, 'utf8')) as { manifests: unknown[] };
  await writeFile(
    index,
    JSON.stringify({
      ...before,
      annotations: { a: 'b' },
      manifests: [...before.manifests, foreign],
    }),
  );
  await writeTo(text, image(2));
  const after = JSON.parse(await readFile(index, 'utf8')) as {
    readonly annotations: unknown;
    readonly manifests: readonly { readonly digest: string }[];
  };
  assert.deepEqual(after.annotations, { a: 'b' });
  assert.deepEqual(after.manifests[0], foreign);
  assert.deepEqual(
    after.manifests.map(({ digest }) => digest),
    [foreign.digest, image(2).manifest.descriptor.digest],
  );
});

test('processes that add to one layout at once all find their image in it', async () => {
  await using folder = await temporaryFolder();
  const seeds = Array.from({ length: 4 }, (_, index) => index + 1);
  const run = promisify(execFile);
  const flags = ['--disable-warning=ExperimentalWarning', WRITER, `oci:${folder.path}/x`];
  await Promise.all(seeds.map((seed) => run(process.execPath, [...flags, String(seed), '5'])));
  await using opened = await openPlace(placeOf(`oci:${folder.path}/x:s1-0`));
  const tags = opened.images.flatMap(({ names }) => names.map(({ at }) => at));
  assert.deepEqual(
    tags.toSorted(),
    seeds.flatMap((seed) => [0, 1, 2, 3, 4].map((turn) => `s${seed}-${turn}`)).toSorted(),
  );
  assert.deepEqual((await readdir(`${folder.path}/x`)).toSorted(), [
    'blobs',
    'index.json',
    'oci-layout',
  ]);
  assert.deepEqual(await readdir(folder.path), ['x']);
});

test('content of sha512 has its own place', async () => {
  await using folder = await temporaryFolder();
  const bytes = pattern(3000);
  for (const target of [`docker-archive:${folder.path}/x.tar`, `oci:${folder.path}/x`]) {
    const digest = digestOf(bytes, 'sha512');
    await using opened = await openSink(placeOf(target), { name: NAME });
    const descriptor = { mediaType: 'application/vnd.oci.image.layer.v1.tar', digest, size: 3000 };
    await opened.sink.blob(opened.repository, descriptor, async () => overlapping(bytes));
    await writeImage(opened.sink, opened, image());
    await opened.commit();
    await using read = await openPlace(placeOf(target));
    assert.equal((await read.source.stat(read.repository, digest)).size, 3000);
  }
});
