import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  cp,
  mkdir,
  readdir,
  readFile,
  symlink as link,
  truncate,
  writeFile,
} from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { digestOf, hexOf } from '../../../src/core/digest.ts';
import { parseImageManifest } from '../../../src/core/image-manifest.ts';
import { MEDIA_TYPES } from '../../../src/core/media-type.ts';
import { openPlace } from '../../../src/image/archive/open-place.ts';
import { openSink } from '../../../src/image/archive/open-sink.ts';
import { collect, pattern } from '../../fixtures/collect.ts';
import { file, symlink, tarOf, type Item } from '../../fixtures/layer-builder.ts';
import { temporaryFolder } from '../../fixtures/temporary.ts';
import { failsWith } from './source-contract.ts';
import { byHand, image, NAME, placeOf, writeImage, writeTo } from './written.ts';

const CONFIG = Buffer.from('{"os":"linux","architecture":"amd64"}');

function dockerArchive(layers: readonly string[], ...items: readonly Item[]): Buffer {
  const list = [{ Config: 'config.json', RepoTags: ['a/b:1'], Layers: layers }];
  return tarOf([
    file('config.json', CONFIG),
    ...items,
    file('manifest.json', JSON.stringify(list)),
  ]);
}

async function opening(bytes: Uint8Array, name = 'docker-archive') {
  await using folder = await temporaryFolder();
  const place = path.join(folder.path, 'x.tar');
  await writeFile(place, bytes);
  await using opened = await openPlace(placeOf(`${name}:${place}`));
  const { bytes: manifest } = await opened.source.manifest(opened.repository, opened.at);
  return { manifest: parseImageManifest(manifest), left: await readdir(folder.path) };
}

const { layers, gzipped } = byHand();
const [layer = Buffer.alloc(0)] = layers;
const [zipped = Buffer.alloc(0)] = gzipped;

test('layers are told by what they are, not by what they are called', async () => {
  const zstd = zstdCompressSync(layer);
  const { manifest } = await opening(
    dockerArchive(
      ['a.tar', 'b/layer.tar', 'c.tar.gz'],
      file('a.tar', zstd),
      file('b/layer.tar', zipped),
      file('c.tar.gz', layer),
    ),
  );
  assert.deepEqual(
    manifest.layers.map(({ mediaType, digest, size }) => [
      mediaType.split('.').at(-1),
      digest,
      size,
    ]),
    [
      ['tar+zstd', digestOf(zstd), zstd.length],
      ['tar+gzip', digestOf(zipped), zipped.length],
      ['tar', digestOf(layer), layer.length],
    ],
  );
});

test("compressed layers alone make docker's manifest, and the same one every time", async () => {
  const bytes = dockerArchive(['a'], file('a', zipped));
  const [one, two] = [await opening(bytes), await opening(bytes)];
  assert.match(one.manifest.config.mediaType, /docker\.container\.image/);
  assert.deepEqual(one, two);
});

test('the same layer twice is listed twice', async () => {
  const { manifest } = await opening(dockerArchive(['a', 'a'], file('a', zipped)));
  assert.equal(manifest.layers.length, 2);
});

const BAD: readonly (readonly [
  what: string,
  bytes: Uint8Array,
  saying: RegExp,
  code?: 'BLOB_UNKNOWN' | 'DIGEST_INVALID',
])[] = [
  ['nothing', Buffer.alloc(0), /empty/],
  ['zeros', Buffer.alloc(10_240), /empty/],
  [
    'text',
    Buffer.from('this is no archive at all\n'.repeat(100)),
    /not an image archive.*not a tar/,
  ],
  [
    'a tar of something else',
    tarOf([file('etc/passwd', 'x')]),
    /neither an index\.json nor a manifest\.json/,
  ],
  ['a truncated layer', dockerArchive(['a'], file('a', layer)).subarray(0, 30_000), /truncated/],
  ['a truncated header', dockerArchive(['a']).subarray(0, 700), /truncated/],
  [
    'a truncated gzip',
    gzipSync(dockerArchive(['a'], file('a', pattern(50_000)))).subarray(0, 20_000),
    /cannot be unpacked/,
  ],
  ['an archive compressed with xz', Buffer.from('fd377a585a0000', 'hex'), /xz/],
  [
    'a damaged header',
    (() => {
      const bytes = dockerArchive(['a'], file('a', layer));
      bytes[1024 + 3] = 7;
      return bytes;
    })(),
    /checksum/,
  ],
  ['a manifest that is no JSON', tarOf([file('manifest.json', '[{')]), /not JSON/],
  ['a manifest that is no list', tarOf([file('manifest.json', '{}')]), /no list of images/],
  [
    'a manifest of other things',
    tarOf([file('manifest.json', '[{"Layers":[1]}]')]),
    /no list of images/,
  ],
  [
    'a layer that is missing',
    dockerArchive(['a']),
    /names "a", which is not in it/,
    'BLOB_UNKNOWN',
  ],
  [
    'a layer outside',
    dockerArchive(['../../../../etc/passwd']),
    /which is not in it/,
    'BLOB_UNKNOWN',
  ],
  ['an absolute layer', dockerArchive(['/etc/passwd']), /which is not in it/, 'BLOB_UNKNOWN'],
  [
    'a link outside',
    dockerArchive(['a'], symlink('a', '../../../../../../etc/passwd')),
    /which is not in it/,
    'BLOB_UNKNOWN',
  ],
  [
    'a ring of links',
    dockerArchive(['a'], symlink('a', 'b'), symlink('b', 'a')),
    /which is not in it/,
    'BLOB_UNKNOWN',
  ],
  [
    'a folder as a layer',
    dockerArchive(['a'], { name: 'a/', flag: '5' }),
    /which is not in it/,
    'BLOB_UNKNOWN',
  ],
  [
    'a device as a layer',
    dockerArchive(['a'], { name: 'a', flag: '3' }),
    /which is not in it/,
    'BLOB_UNKNOWN',
  ],
  [
    'a config that is not what its name says',
    tarOf([
      file(`${'0'.repeat(64)}.json`, CONFIG),
      file('manifest.json', JSON.stringify([{ Config: `${'0'.repeat(64)}.json`, Layers: [] }])),
    ]),
    /damaged/,
    'DIGEST_INVALID',
  ],
  [
    'a layout of the future',
    tarOf([file('oci-layout', '{"imageLayoutVersion":"2.0"}'), file('index.json', '{}')]),
    /version 1/,
  ],
];

for (const [what, bytes, saying, code = 'MANIFEST_INVALID'] of BAD) {
  test(`${what} is refused`, async () => {
    await assert.rejects(opening(bytes), failsWith(code, saying));
  });
}

test('what is no file at all', async () => {
  await using folder = await temporaryFolder();
  const { path: at } = folder;
  await assert.rejects(
    openPlace(placeOf(`docker-archive:${at}/none.tar`)),
    failsWith('NAME_UNKNOWN', /there is no file/),
  );
  await assert.rejects(
    openPlace(placeOf(`docker-archive:${at}`)),
    failsWith('NAME_UNKNOWN', /is a folder; oci:FOLDER reads one/),
  );
  for (const kind of ['docker-archive', 'oci-archive']) {
    await assert.rejects(
      openPlace(placeOf(`${kind}:/dev/null`)),
      failsWith('NAME_UNKNOWN', /^\/dev\/null is a device: an archive is read in several places/),
    );
  }
  await assert.rejects(openPlace(placeOf(`oci:${at}/none`)), failsWith('NAME_UNKNOWN'));
  await assert.rejects(openPlace(placeOf(`oci:${at}`)), failsWith('MANIFEST_INVALID'));
  execFileSync('mkfifo', [`${at}/pipe`]);
  await assert.rejects(
    openPlace(placeOf(`docker-archive:${at}/pipe`)),
    failsWith('NAME_UNKNOWN', /pipe is a pipe: .*, so save it as a file first$/),
  );
});

test('what a compressed archive unpacks to is seen nowhere, and gone afterwards', async () => {
  const { left } = await opening(gzipSync(dockerArchive(['a'], file('a', zipped))));
  assert.deepEqual(left, ['x.tar']);
});

test('a file cut short while it is open ends with an error', async () => {
  await using folder = await temporaryFolder();
  const text = `docker-archive:${folder.path}/x.tar`;
  const built = image();
  await writeTo(text, built);
  await using opened = await openPlace(placeOf(text));
  await truncate(path.join(folder.path, 'x.tar'), 100_000);
  const [large] = built.layers;
  assert.ok(large);
  await using blob = await opened.source.blob(opened.repository, large.digest);
  await assert.rejects(collect(blob.body), failsWith('STORAGE_UNAVAILABLE', /too early/));
});

test('an archive that is both is read as a layout, and keeps its digests', async () => {
  await using folder = await temporaryFolder();
  const built = image();
  const text = `docker-archive:${folder.path}/x.tar`;
  await writeTo(text, built);
  await using opened = await openPlace(placeOf(text));
  const { descriptor } = await opened.source.resolve(opened.repository, opened.at);
  assert.deepEqual(descriptor, built.manifest.descriptor);
});

test("a layout without names in its index takes those of docker's list", async () => {
  await using folder = await temporaryFolder();
  await writeTo(`docker-archive:${folder.path}/x.tar`);
  const inside = path.join(folder.path, 'inside');
  await mkdir(inside);
  execFileSync('tar', ['xf', `${folder.path}/x.tar`, '-C', inside]);
  const index = path.join(inside, 'index.json');
  const text = await readFile(index, 'utf8');
  await writeFile(index, text.replace(/,"annotations":\{[^}]*\}/, ''));
  execFileSync('tar', ['cf', `${folder.path}/y.tar`, '-C', inside, '.']);
  await using opened = await openPlace(placeOf(`docker-archive:${folder.path}/y.tar`));
  assert.deepEqual({ repository: opened.repository, at: opened.at }, NAME);
});

const platforms = ['amd64', 'arm64'].map((architecture, index) => {
  const built = image(index + 10);
  return {
    built,
    entry: { ...built.manifest.descriptor, platform: { os: 'linux', architecture } },
  };
});

async function writeIndex(text: string): Promise<void> {
  await using opened = await openSink(placeOf(text), { name: NAME });
  for (const { built } of platforms) {
    const at = built.manifest.descriptor.digest;
    await writeImage(opened.sink, { repository: opened.repository, at }, built);
  }
  const { source, repository } = image();
  const index = source.putManifest(repository, {
    schemaVersion: 2,
    mediaType: MEDIA_TYPES.ociIndex,
    manifests: platforms.map(({ entry }) => entry),
  });
  await opened.sink.manifest(opened.repository, opened.at, index);
  await opened.commit();
}

for (const text of ['docker-archive:FOLDER/x.tar', 'oci:FOLDER/x', 'oci-archive:FOLDER/x.tar']) {
  test(`an image for several platforms is one image in ${text.split(':', 1)[0]}`, async () => {
    await using folder = await temporaryFolder();
    const name = text.replace('FOLDER', folder.path);
    await writeIndex(name);
    await using opened = await openPlace(placeOf(name));
    assert.equal(opened.images.length, 1);
    const { descriptor } = await opened.source.manifest(opened.repository, opened.at);
    assert.equal(descriptor.mediaType, MEDIA_TYPES.ociIndex);
    for (const { entry } of platforms) {
      const child = await opened.source.manifest(opened.repository, entry.digest);
      assert.equal(child.descriptor.digest, entry.digest);
    }
  });
}

test("docker's list has one platform of several", async () => {
  await using folder = await temporaryFolder();
  await writeIndex(`docker-archive:${folder.path}/x.tar`);
  const listed = execFileSync('tar', ['xOf', `${folder.path}/x.tar`, 'manifest.json'], {
    encoding: 'utf8',
  });
  const list = JSON.parse(listed) as readonly { Config: string; RepoTags: string[] }[];
  assert.equal(list.length, 1);
  assert.deepEqual(list[0]?.RepoTags, ['docker.io/team/app:1.2']);
});

test('a layout whose own index lists the platforms of one image', async () => {
  await using folder = await temporaryFolder();
  await writeIndex(`oci:${folder.path}/x`);
  const index = { schemaVersion: 2, manifests: platforms.map(({ entry }) => entry) };
  await writeFile(`${folder.path}/x/index.json`, JSON.stringify(index));
  await using opened = await openPlace(placeOf(`oci:${folder.path}/x`));
  const { bytes } = await opened.source.manifest(opened.repository, opened.at);
  assert.deepEqual(JSON.parse(Buffer.from(bytes).toString()), index);
});

test('what refers to a manifest is found among what is listed', async () => {
  await using folder = await temporaryFolder();
  const text = `oci:${folder.path}/x`;
  const built = image();
  const { source, repository } = built;
  const artifact = source.putManifest(repository, {
    schemaVersion: 2,
    mediaType: MEDIA_TYPES.ociManifest,
    artifactType: 'application/x-signature',
    config: built.config,
    layers: [],
    subject: built.manifest.descriptor,
    annotations: { by: 'test' },
  });
  {
    await using opened = await openSink(placeOf(text), { name: NAME });
    await writeImage(opened.sink, opened, built);
    await opened.sink.manifest(repository, artifact.descriptor.digest, artifact);
    await opened.commit();
  }
  await using opened = await openPlace(placeOf(text));
  const { items } = await opened.source.referrers(
    opened.repository,
    built.manifest.descriptor.digest,
  );
  assert.deepEqual(items, [
    {
      ...artifact.descriptor,
      artifactType: 'application/x-signature',
      annotations: { by: 'test' },
    },
  ]);
});

test('an image is chosen by tag, name and digest', async () => {
  await using folder = await temporaryFolder();
  const text = `oci:${folder.path}/x`;
  const built = image();
  await writeTo(`${text}:v1`, built);
  await writeTo(`${text}:quay.io/o/a:v2`, image(2));
  const { digest } = built.manifest.descriptor;
  for (const name of [':v1', `@${digest}`, ':v2', ':quay.io/o/a:v2']) {
    await using opened = await openPlace(placeOf(`${text}${name}`));
    const { descriptor } = await opened.source.resolve(opened.repository, opened.at);
    assert.equal(descriptor.digest === digest, !name.includes('v2'), name);
  }
  await assert.rejects(openPlace(placeOf(`${text}:v3`)), failsWith('MANIFEST_UNKNOWN', /v1, quay/));
});

test('content that is linked elsewhere in a layout is content all the same', async () => {
  await using folder = await temporaryFolder();
  await writeTo(`oci:${folder.path}/x`);
  await cp(`${folder.path}/x/blobs`, `${folder.path}/blobs`, { recursive: true });
  execFileSync('rm', ['-r', `${folder.path}/x/blobs`]);
  await link('../blobs', `${folder.path}/x/blobs`);
  await using opened = await openPlace(placeOf(`oci:${folder.path}/x`));
  await opened.source.manifest(opened.repository, opened.at);
});

test('a plain layer that is not what the config says shows when it is read', async () => {
  const config = Buffer.from(
    JSON.stringify({ rootfs: { diff_ids: [digestOf(Buffer.from('other'))] } }),
  );
  const hex = hexOf(digestOf(config));
  const list = [{ Config: `${hex}.json`, RepoTags: null, Layers: ['a'] }];
  await using folder = await temporaryFolder();
  const name = `${folder.path}/x.tar`;
  await writeFile(
    name,
    tarOf([
      file(`${hex}.json`, config),
      file('a', layer),
      file('manifest.json', JSON.stringify(list)),
    ]),
  );
  await using opened = await openPlace(placeOf(`docker-archive:${name}`));
  await using blob = await opened.source.blob(opened.repository, digestOf(Buffer.from('other')));
  await assert.rejects(collect(blob.body), failsWith('DIGEST_INVALID'));
});
