import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { chmod, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { suite, test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { digestOf } from '../../../src/core/digest.ts';
import { RegistryError } from '../../../src/core/errors.ts';
import { MEDIA_TYPES } from '../../../src/core/media-type.ts';
import { parsePlatform } from '../../../src/core/platform.ts';
import { parseTag } from '../../../src/core/reference.ts';
import { readLock } from '../../../src/image/bundle/base.ts';
import { formatLock } from '../../../src/image/bundle/lock.ts';
import { storeSource } from '../../../src/image/store-source.ts';
import { importMarks } from '../../../src/store/imports.ts';
import { buildImage } from '../../fixtures/image-builder.ts';
import { file } from '../../fixtures/layer-builder.ts';
import { MemorySource } from '../../fixtures/memory-source.ts';
import { failsWith } from '../archive/source-contract.ts';
import {
  APP,
  exported,
  filled,
  flipped,
  keep,
  openWorld,
  seen,
  tag,
  manyPlatforms,
  type World,
} from './world.ts';

const LATEST = parseTag('latest');

/** A store with an index of two images that have nothing in common. */
async function apart(world: World) {
  const source = new MemorySource();
  const [first, second] = (['amd64', 'arm64'] as const).map((architecture) =>
    buildImage([[file('own', architecture)]], {
      source,
      repository: APP,
      tag: architecture,
      config: { architecture },
    }),
  );
  assert.ok(first !== undefined && second !== undefined);
  const index = source.putManifest(
    APP,
    {
      schemaVersion: 2,
      mediaType: MEDIA_TYPES.ociIndex,
      manifests: [
        { ...first.manifest.descriptor, platform: { os: 'linux', architecture: 'amd64' } },
        { ...second.manifest.descriptor, platform: { os: 'linux', architecture: 'arm64' } },
      ],
    },
    'latest',
  );
  const parts = [first, second].flatMap(({ manifest, config, layers }) =>
    [manifest.descriptor, config].concat(layers),
  );
  await keep(world.store, { source, repository: APP }, [index.descriptor, ...parts]);
  await tag(world.store, APP, 'latest', index.descriptor);
  return { first, second, index };
}

/** Without its first file. */
function withoutLock(bundle: Buffer): Buffer {
  const size = Number.parseInt(bundle.toString('latin1', 124, 135), 8);
  return bundle.subarray(512 + Math.ceil(size / 512) * 512);
}

suite('a bundle from one store into another', () => {
  test('brings the image to the byte, under its name, with what refers to it', async () => {
    await using here = await openWorld();
    await using there = await openWorld();
    const image = await filled(here);
    const { bytes, lock } = await exported(here, ['docker.io/library/app:latest']);
    assert.equal(lock.content.length, 11);
    const imported = await there.import(bytes);
    assert.deepEqual(imported.images, [
      {
        name: 'docker.io/library/app:latest',
        digest: image.index.descriptor.digest,
        outcome: 'new',
        without: [],
      },
    ]);
    assert.equal(imported.blobs, 11);
    const source = storeSource(there.store.paths);
    assert.deepEqual((await source.manifest(APP, LATEST)).bytes, image.index.bytes);
    for (const { digest, mediaType, size } of lock.content) {
      const link = await there.store.links.get(APP, digest);
      const manifest = /manifest|index/.test(mediaType);
      assert.deepEqual(link, manifest ? { size, mediaType } : { size });
      assert.deepEqual(
        await readFile(there.store.paths.blob(digest)),
        await readFile(here.store.paths.blob(digest)),
      );
    }
    const { items } = await source.referrers(APP, image.index.descriptor.digest);
    assert.deepEqual(
      items.map(({ digest, artifactType }) => [digest, artifactType]),
      [[image.signed.descriptor.digest, 'application/vnd.test.signature']],
    );
    assert.deepEqual(there.renewed, [image.index.descriptor.digest]);
  });

  test('is the same to the byte whenever it is made', async () => {
    await using here = await openWorld();
    await filled(here);
    const first = await exported(here, ['docker.io/library/app:latest']);
    const second = await exported(here, ['docker.io/**']);
    assert.ok(first.bytes.equals(second.bytes));
    assert.deepEqual(await readFile(`${first.file}.lock.json`), formatLock(first.lock));
    assert.deepEqual(await readLock(first.file), first.lock);
    assert.deepEqual(await readLock(`${first.file}.lock.json`), first.lock);
  });

  for (const [name, pack] of Object.entries({ gzip: gzipSync, zstd: zstdCompressSync })) {
    test(`may be compressed: ${name}`, async () => {
      await using here = await openWorld();
      await using there = await openWorld();
      await filled(here);
      const { bytes } = await exported(here, ['docker.io/**']);
      assert.equal((await there.import(pack(bytes))).images.length, 1);
    });
  }

  test('a second time nothing is written', async () => {
    await using here = await openWorld();
    await using there = await openWorld();
    await filled(here);
    const { bytes } = await exported(here, ['docker.io/**']);
    await there.import(bytes);
    const before = await seen(there.folder);
    const again = await there.import(bytes);
    assert.deepEqual(
      again.images.map(({ outcome }) => outcome),
      ['same'],
    );
    assert.deepEqual([again.blobs, again.bytes], [0, 0]);
    assert.deepEqual(await seen(there.folder), before);
  });

  test('one platform of two: the index goes along as it is', async () => {
    await using here = await openWorld();
    await using there = await openWorld();
    const image = await filled(here);
    const { bytes, lock } = await exported(here, ['docker.io/**'], {
      platforms: [parsePlatform('linux/arm64')],
      referrers: 'none',
    });
    assert.equal(lock.content.length, 7);
    const [locked] = lock.images;
    assert.deepEqual(locked?.platforms, ['linux/arm64']);
    assert.deepEqual(
      locked?.leftOut.map(({ digest, platform, why }) => [digest, platform, why]),
      [[image.first.layers[1]?.digest, 'linux/amd64', 'platform']],
    );
    const { images } = await there.import(bytes);
    assert.deepEqual(images[0]?.without, ['linux/amd64']);
    const source = storeSource(there.store.paths);
    assert.deepEqual((await source.manifest(APP, LATEST)).bytes, image.index.bytes);
    // containerd asks for the manifests and configurations of all platforms.
    for (const { manifest, config } of [image.first, image.second]) {
      await source.manifest(APP, manifest.descriptor.digest);
      await source.stat(APP, config.digest);
    }
  });

  test('only some of a bundle: a platform', async () => {
    await using here = await openWorld();
    await using there = await openWorld();
    const image = await filled(here);
    const { bytes } = await exported(here, ['docker.io/**']);
    await there.import(bytes, { platforms: [parsePlatform('amd64')] });
    const content = await seen(there.folder);
    const [, own] = image.second.layers;
    assert.ok(own);
    assert.ok(
      !content.some((name) => name.includes(own.digest.slice(7))),
      'what was not chosen is gone',
    );
    assert.ok(content.some((name) => name.includes(image.first.config.digest.slice(7))));
  });

  for (const kind of ['a bundle', 'an archive without a lock'] as const) {
    test(`none of the platforms that are wanted: ${kind} is refused`, async () => {
      await using here = await openWorld();
      await using there = await openWorld();
      const { second } = await apart(here);
      const arm = [parsePlatform('linux/arm64')];
      const amd = [parsePlatform('linux/amd64')];
      const { bytes: whole } = await exported(here, ['docker.io/**'], {
        platforms: arm,
        referrers: 'none',
      });
      const bytes = kind === 'a bundle' ? whole : withoutLock(whole);
      const before = await seen(there.folder);
      await assert.rejects(there.import(bytes, { platforms: amd }), (error: unknown) => {
        assert.ok(error instanceof RegistryError);
        assert.equal(error.code, 'MANIFEST_UNKNOWN');
        assert.match(error.message, /nothing was imported.*linux\/amd64/);
        assert.match(error.message, /docker\.io\/library\/app:latest: it has linux\/arm64/);
        return true;
      });
      assert.deepEqual(await seen(there.folder), before);
      // One of those that are wanted is enough.
      const { images } = await there.import(bytes, { platforms: [...amd, ...arm] });
      assert.deepEqual(images[0]?.without, ['linux/amd64']);
      const source = storeSource(there.store.paths);
      for (const { digest } of second.layers) await source.stat(APP, digest);
    });
  }

  test('what goes on from another bundle has only what is new', async () => {
    await using here = await openWorld();
    await using there = await openWorld();
    await filled(here);
    const first = await exported(here, ['docker.io/**']);
    const newer = manyPlatforms('newer');
    await keep(here.store, newer, [newer.parts.index, ...newer.parts.first, ...newer.parts.second]);
    await tag(here.store, APP, 'newer', newer.index.descriptor);
    const whole = await exported(here, ['docker.io/**']);
    const rest = await exported(here, ['docker.io/**'], { since: first.lock });
    assert.ok(rest.bytes.length < whole.bytes.length);
    assert.equal(rest.lock.content.filter((one) => one.in === 'base').length, 11);
    await assert.rejects(there.import(rest.bytes), failsWith('BLOB_UNKNOWN', /goes on from/));
    assert.deepEqual(await seen(there.folder), []);
    await there.import(first.bytes);
    // What is there has to be what it was, to the byte.
    const [layer] = manyPlatforms().second.layers;
    assert.ok(layer);
    const blob = there.store.paths.blob(layer.digest);
    await chmod(blob, 0o600);
    await writeFile(blob, flipped(await readFile(blob), 20));
    await assert.rejects(
      there.import(rest.bytes),
      failsWith('BLOB_UNKNOWN', new RegExp(`${layer.digest}.*needed by docker.*goes on from`)),
    );
    await there.import(first.bytes);
    const { images } = await there.import(rest.bytes);
    assert.deepEqual(
      images.map(({ name, outcome }) => [name, outcome]),
      [
        ['docker.io/library/app:latest', 'same'],
        ['docker.io/library/app:newer', 'new'],
      ],
    );
  });
});

suite('what was imported', () => {
  test('stays when its tag moves on, when the index is lost, and when room is needed', async () => {
    await using here = await openWorld();
    const image = await filled(here);
    const { bytes } = await exported(here, ['docker.io/**']);
    const folder = path.join(here.folder, '..', 'other');
    {
      await using there = await openWorld({ folder });
      await there.import(bytes);
      const newer = manyPlatforms('newer');
      await keep(there.store, newer, [newer.parts.index]);
      await tag(there.store, APP, 'latest', newer.index.descriptor);
    }
    await writeFile(path.join(folder, 'index', 'blobs.db'), 'nothing of the kind');
    await using there = await openWorld({ folder });
    const { evictor } = there.store.housekeeping;
    await evictor.sweep({ reason: 'request', excess: () => Infinity });
    for (const { digest } of [
      image.index.descriptor,
      ...image.parts.first,
      ...image.parts.signature,
    ]) {
      assert.notEqual(await there.store.content.size(digest), undefined);
    }
    const marks = await importMarks(there.store.paths, APP);
    assert.equal(marks.length, 2);
  });

  test('a tag that is there is not moved, unless that is said', async () => {
    await using here = await openWorld();
    await using there = await openWorld();
    const image = await filled(here);
    const other = await filled(there, 'other');
    const { bytes } = await exported(here, ['docker.io/**']);
    const before = await seen(there.folder);
    await assert.rejects(
      there.import(bytes),
      failsWith('DENIED', /docker\.io\/library\/app:latest.*--overwrite|--overwrite/s),
    );
    assert.deepEqual(await seen(there.folder), before);
    const { images } = await there.import(bytes, { tags: 'overwrite' });
    assert.equal(images[0]?.outcome, 'moved');
    const record = await there.store.tags.get(APP, LATEST);
    assert.equal(record?.descriptor.digest, image.index.descriptor.digest);
    assert.equal(record.history[0]?.digest, other.index.descriptor.digest);
  });
});

suite('what cannot be exported', () => {
  test('everything that lacks is said at once, and where to get it', async () => {
    await using here = await openWorld();
    const image = manyPlatforms();
    await keep(here.store, image, [image.parts.index, image.first.manifest.descriptor]);
    await tag(here.store, APP, 'latest', image.index.descriptor);
    const lacking = [...image.first.layers, image.first.config].map(({ digest }) => digest);
    await assert.rejects(exported(here, ['docker.io/**']), (error: Error) => {
      for (const digest of lacking) assert.match(error.message, new RegExp(digest));
      assert.match(error.message, /layover prefetch docker\.io\/library\/app:latest/);
      return true;
    });
    await assert.rejects(
      exported(here, ['docker.io/library/app:latest', 'quay.io/no/such:1', 'quay.io/nor/*:2']),
      failsWith('MANIFEST_UNKNOWN', /fits quay\.io\/no\/such:1 quay\.io\/nor\/\*:2: have/),
    );
    // A hint can be copied into a shell, and does what it says.
    const hints = [
      [['quay.io/no/such:1', 'quay.io/nor/*:2'], 'stored', 'layover prefetch quay.io/no/such:1)'],
      [['quay.io/no/such:1.*'], 'all', "layover prefetch --platform all 'quay.io/no/such:1.*')"],
      [['quay.io/no/such'], 'stored', "layover prefetch 'quay.io/no/such:*')"],
      [['quay.io/no*/**'], 'stored', 'have it pulled through the mirror first'],
      [['docker.io/**'], [parsePlatform('amd64')], '--platform linux/amd64 docker.io/library/app'],
    ] as const;
    for (const [patterns, platforms, hint] of hints) {
      await assert.rejects(exported(here, patterns, { platforms }), ({ message }: Error) => {
        assert.ok(message.includes(hint), `${hint}: ${message}`);
        return true;
      });
    }
    await assert.rejects(
      exported(here, ['docker.io/**'], { platforms: [parsePlatform('linux/s390x')] }),
      failsWith('MANIFEST_UNKNOWN', /for linux\/s390x; it is for linux\/amd64, linux\/arm64$/),
    );
  });

  test('a lock that no import would take', async () => {
    await using here = await openWorld();
    const source = new MemorySource();
    const image = buildImage([[file('a', 'a')]], { source, repository: APP });
    const { manifest, config, layers } = image;
    const others = Array.from({ length: 900 }, (_, at) => ({
      ...manifest.descriptor,
      digest: digestOf(Buffer.from(`${at}`)),
      platform: { os: 'linux', architecture: 'arm64', variant: 'v'.repeat(4_000) },
    }));
    const index = source.putManifest(APP, {
      schemaVersion: 2,
      mediaType: MEDIA_TYPES.ociIndex,
      manifests: [
        { ...manifest.descriptor, platform: { os: 'linux', architecture: 'amd64' } },
        ...others,
      ],
    });
    const parts = [index.descriptor, manifest.descriptor, config, ...layers];
    await keep(here.store, { source, repository: APP }, parts);
    for (let at = 0; at < 10; at += 1) await tag(here.store, APP, `v${at}`, index.descriptor);
    await assert.rejects(
      exported(here, ['docker.io/**']),
      failsWith('MANIFEST_INVALID', /lock\.json is larger than any lock: .* choose fewer images/s),
    );
    await assert.rejects(readFile(path.join(here.folder, '..', 'bundle.tar')), { code: 'ENOENT' });
  });

  test('what leaves the store meanwhile is an error by name', async () => {
    await using here = await openWorld();
    const image = await filled(here);
    const [layer] = image.second.layers;
    assert.ok(layer);
    const file = path.join(here.folder, '..', 'bundle.tar');
    const leaving = exported(here, ['docker.io/**'], {
      file,
      begin: () => rmSync(here.store.paths.blob(layer.digest)),
    });
    await assert.rejects(leaving, failsWith('BLOB_UNKNOWN', new RegExp(layer.digest)));
    await assert.rejects(readFile(file), { code: 'ENOENT' });
  });

  test('damaged content is no bundle', async () => {
    await using here = await openWorld();
    const image = await filled(here);
    const [layer] = image.first.layers;
    assert.ok(layer);
    const name = here.store.paths.blob(layer.digest);
    await chmod(name, 0o600);
    await writeFile(name, flipped(await readFile(name), 20));
    await assert.rejects(exported(here, ['docker.io/**']), failsWith('DIGEST_INVALID', /damaged/));
    await assert.rejects(readFile(path.join(here.folder, '..', 'bundle.tar')), { code: 'ENOENT' });
  });
});
