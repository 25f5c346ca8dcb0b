import assert from 'node:assert/strict';
import { readdir, rm } from 'node:fs/promises';
import { suite, test } from 'node:test';
import { digestOf } from '../../src/core/digest.ts';
import { MEDIA_TYPES } from '../../src/core/media-type.ts';
import { parseTag, type Repository } from '../../src/core/reference.ts';
import { LARGEST_PUSHED, type ManifestPut } from '../../src/hosted/hosted.ts';
import { listedRepositories } from '../../src/store/catalog.ts';
import { Paths } from '../../src/store/paths.ts';
import { Records } from '../../src/store/records.ts';
import {
  bytes,
  code,
  imageBytes,
  indexBytes,
  openWorld,
  pushBlob,
  pushImage,
  put,
  read,
  repository,
  temporary,
  type World,
} from './world.ts';

const apps = repository('apps/api');
const [v1, latest] = [parseTag('v1'), parseTag('latest')];
const nowhere = digestOf(bytes('nowhere'));

async function referrers(world: World, digest: Parameters<World['hosted']['referrers']>[1]) {
  return (await world.hosted.referrers(apps, digest)).items;
}

/** Does something once, between two looks at a repository. */
class Interrupted extends Records {
  between: (() => Promise<unknown>) | undefined;

  override async tags(of: Repository) {
    const { between } = this;
    this.between = undefined;
    await between?.();
    return super.tags(of);
  }
}

suite('manifests', () => {
  test('deleted while the same bytes come as a blob: the blob stays', async (t) => {
    const folder = await temporary(t);
    const records = new Interrupted(new Paths(folder));
    const world = await openWorld(folder, { records });
    const { manifest } = await pushImage(world, apps, 'one', 'v1');
    const { bytes: content } = await world.hosted.manifest(apps, manifest.digest);
    records.between = () => pushBlob(world, apps, content);
    await world.hosted.changes.deleteManifest(apps, manifest.digest);
    const gone = world.hosted.manifest(apps, manifest.digest);
    await assert.rejects(gone, code('MANIFEST_UNKNOWN'));
    assert.deepEqual(await read(world, apps, manifest.digest), Buffer.from(content));
  });

  test('are no blobs, before and after the same bytes were one', async (t) => {
    const world = await openWorld(await temporary(t));
    const { manifest } = await pushImage(world, apps, 'one', 'v1');
    const { bytes: content } = await world.hosted.manifest(apps, manifest.digest);
    const none = async () => {
      await assert.rejects(world.hosted.stat(apps, manifest.digest), code('BLOB_UNKNOWN'));
      await assert.rejects(world.hosted.blob(apps, manifest.digest), code('BLOB_UNKNOWN'));
    };
    await none();
    await pushBlob(world, apps, content);
    assert.deepEqual(await read(world, apps, manifest.digest), Buffer.from(content));
    await world.hosted.changes.deleteBlob(apps, manifest.digest);
    await none();
    assert.ok(Buffer.from(content).equals((await world.hosted.manifest(apps, v1)).bytes));
  });

  test('a mark of the byte order in front is refused: clients cannot read what follows', async (t) => {
    const world = await openWorld(await temporary(t));
    const config = await pushBlob(world, apps, bytes('{}'));
    const marked = Buffer.concat([
      Buffer.from([0xef, 0xbb, 0xbf]),
      imageBytes({ config, layers: [] }),
    ]);
    await assert.rejects(put(world, apps, marked, 'v1'), code('MANIFEST_INVALID'));
  });

  test('by tags and by digest, byte for byte, also after a restart', async (t) => {
    const folder = await temporary(t);
    const first = await openWorld(folder);
    const { manifest } = await pushImage(first, apps, 'one', 'v1', 'latest');
    for (const world of [first, await openWorld(folder)]) {
      for (const at of [v1, latest, manifest.digest]) {
        const found = await world.hosted.manifest(apps, at);
        assert.equal(digestOf(found.bytes), manifest.digest);
        assert.deepEqual(found.descriptor, manifest);
        assert.deepEqual((await world.hosted.resolve(apps, at)).descriptor, manifest);
      }
      assert.deepEqual((await world.hosted.tags(apps)).items, ['latest', 'v1']);
    }
  });

  test('sha512 stays sha512', async (t) => {
    const world = await openWorld(await temporary(t));
    const config = await pushBlob(world, apps, bytes('{}'), 'sha512');
    const manifest = imageBytes({ config, layers: [] });
    const digest = digestOf(manifest, 'sha512');
    const contentType = MEDIA_TYPES.ociManifest;
    await world.hosted.changes.putManifest(apps, {
      bytes: manifest,
      contentType,
      digest,
      tags: [v1],
    });
    assert.equal((await world.hosted.resolve(apps, v1)).descriptor.digest, digest);
    await world.hosted.changes.putManifest(apps, {
      bytes: manifest,
      contentType,
      algorithm: 'sha512',
      tags: [latest],
    });
    assert.equal((await world.hosted.resolve(apps, latest)).descriptor.digest, digest);
  });

  test('4 MiB are taken, a byte more is not', async (t) => {
    const world = await openWorld(await temporary(t));
    const config = await pushBlob(world, apps, bytes('{}'));
    const sized = (size: number) => {
      const without = imageBytes({ config, layers: [], annotations: { a: '' } }).length;
      return imageBytes({ config, layers: [], annotations: { a: 'x'.repeat(size - without) } });
    };
    const largest = sized(LARGEST_PUSHED);
    assert.equal(largest.length, 4_194_304);
    await put(world, apps, largest, 'v1');
    assert.ok(Buffer.from(largest).equals((await world.hosted.manifest(apps, v1)).bytes));
    const larger = put(world, apps, sized(LARGEST_PUSHED + 1), 'v1');
    await assert.rejects(larger, code('SIZE_INVALID', 413));
  });

  test('what they list has to be there, except what lives elsewhere', async (t) => {
    const world = await openWorld(await temporary(t));
    const config = await pushBlob(world, apps, bytes('{}'));
    const missing = { mediaType: 'application/x', digest: nowhere, size: 7 };
    const image = imageBytes({ config, layers: [missing] });
    await assert.rejects(put(world, apps, image, 'v1'), code('MANIFEST_BLOB_UNKNOWN', 404));
    await assert.rejects(world.hosted.resolve(apps, v1), code('MANIFEST_UNKNOWN'));
    await assert.rejects(world.hosted.resolve(apps, digestOf(image)), code('MANIFEST_UNKNOWN'));
    const another = put(world, repository('apps/other'), imageBytes({ config, layers: [] }), 'v1');
    await assert.rejects(another, code('MANIFEST_BLOB_UNKNOWN'));
    const foreign = 'application/vnd.oci.image.layer.nondistributable.v1.tar+gzip';
    const elsewhere = [
      { ...missing, mediaType: foreign },
      { ...missing, urls: ['https://x.io/y'] },
    ];
    await put(world, apps, imageBytes({ config, layers: elsewhere, subject: missing }), 'v1');
    await put(world, apps, indexBytes([missing]), 'latest');
    const sparse = await openWorld(await temporary(t), { sparse: 'all' });
    await put(sparse, apps, image, 'v1');
    const strict = await openWorld(await temporary(t), { sparse: 'none' });
    const index = put(strict, apps, indexBytes([missing]), 'v1');
    await assert.rejects(index, code('MANIFEST_BLOB_UNKNOWN'));
  });

  test('empty lists, unknown members, and an index of what was pushed as blobs are fine', async (t) => {
    const world = await openWorld(await temporary(t), { sparse: 'none' });
    const config = await pushBlob(world, apps, bytes('{}'));
    await put(world, apps, indexBytes([]), 'v1');
    const bare = bytes(
      JSON.stringify({ schemaVersion: 2, mediaType: MEDIA_TYPES.ociManifest, config, x: { y: 1 } }),
    );
    await put(world, apps, bare, 'v2');
    await put(world, apps, indexBytes([config]), 'v3');
    const { descriptor } = await put(world, apps, indexBytes([]));
    await put(world, apps, indexBytes([descriptor]), 'v4');
  });

  test('a thousand indexes in each other', async (t) => {
    const world = await openWorld(await temporary(t), { grace: 1, untaggedFor: 1 });
    let inner = (await pushImage(world, apps, 'innermost', 'innermost')).manifest;
    for (let depth = 0; depth < 1000; depth += 1) {
      inner = (await put(world, apps, indexBytes([inner]))).descriptor;
    }
    await put(world, apps, indexBytes([inner]), 'v1');
    for await (const found of world.hosted.collect('collect')) assert.equal(found.type, 'kept');
  });

  // What is put, and how it is called.
  const config = { mediaType: 'application/x', digest: digestOf(bytes('{}')), size: 2 };
  const image = { schemaVersion: 2, mediaType: MEDIA_TYPES.ociManifest, config, layers: [] };
  const entries = Array.from({ length: 10_001 }, () => config);
  const bad: readonly [name: string, content: unknown, change?: Partial<ManifestPut>][] = [
    ['not JSON', 'hello'],
    ['not an object', [image]],
    ['not UTF-8', Uint8Array.of(0x22, 0xff, 0x22)],
    ['nothing', new Uint8Array()],
    ['brackets without end', '['.repeat(1_000_000)],
    ['another type than the header says', image, { contentType: MEDIA_TYPES.dockerManifest }],
    ['an index that says it is an image', { ...image, config: undefined, manifests: [config] }],
    ['both an image and an index', { ...image, manifests: [] }],
    ['an image that says it is an index', { ...image, mediaType: MEDIA_TYPES.ociIndex }],
    ['a type that nobody knows', { ...image, mediaType: 'text/html' }],
    [
      'no type, and a header that says nothing',
      { ...image, mediaType: undefined },
      { contentType: 'application/json' },
    ],
    ['schema 1', { schemaVersion: 1, fsLayers: [], mediaType: MEDIA_TYPES.dockerSchema1Signed }],
    ['another schema', { ...image, schemaVersion: 3 }],
    ['no config', { ...image, config: undefined }],
    ['a layer that is no descriptor', { ...image, layers: [{ ...config, digest: 'sha256:abc' }] }],
    ['a negative size', { ...image, layers: [{ ...config, size: -1 }] }],
    ['another size than the blob has', { ...image, config: { ...config, size: 3 } }],
    ['layers that are no list', { ...image, layers: {} }],
    ['too many layers', { ...image, layers: entries }],
    ['a subject that is none', { ...image, subject: 'x' }],
  ];
  for (const [name, content, change] of bad) {
    test(`refused: ${name}`, async (t) => {
      const world = await openWorld(await temporary(t));
      await pushBlob(world, apps, bytes('{}'));
      const raw =
        content instanceof Uint8Array
          ? content
          : bytes(typeof content === 'string' ? content : JSON.stringify(content));
      const given = { bytes: raw, contentType: undefined, tags: [v1], ...change };
      await assert.rejects(
        world.hosted.changes.putManifest(apps, given),
        code('MANIFEST_INVALID', 400),
      );
      assert.deepEqual((await world.hosted.tags(apps)).items, []);
    });
  }

  test('refused: a digest that is not that of the bytes; a child of another type', async (t) => {
    const world = await openWorld(await temporary(t));
    const { manifest } = await pushImage(world, apps, 'one', 'v1');
    const wrong = world.hosted.changes.putManifest(apps, {
      bytes: indexBytes([]),
      contentType: undefined,
      digest: manifest.digest,
      tags: [],
    });
    await assert.rejects(wrong, code('DIGEST_INVALID', 400));
    const lie = put(
      world,
      apps,
      indexBytes([{ ...manifest, mediaType: MEDIA_TYPES.ociIndex }]),
      'v2',
    );
    await assert.rejects(lie, code('MANIFEST_INVALID'));
  });

  test('a configuration does not pass for a manifest, though it may be both', async (t) => {
    const world = await openWorld(await temporary(t));
    const manifest = indexBytes([]);
    const { digest } = await pushBlob(world, apps, manifest);
    await assert.rejects(world.hosted.manifest(apps, digest), code('MANIFEST_UNKNOWN'));
    await put(world, apps, manifest, 'v1');
    await world.hosted.changes.deleteManifest(apps, digest);
    await assert.rejects(world.hosted.manifest(apps, digest), code('MANIFEST_UNKNOWN'));
    assert.ok((await read(world, apps, digest)).equals(manifest));
    await world.hosted.changes.deleteBlob(apps, digest);
    await assert.rejects(world.hosted.blob(apps, digest), code('NAME_UNKNOWN'));
  });
});

suite('referrers', () => {
  test('one whose manifest is damaged leaves the list when it is deleted', async (t) => {
    const folder = await temporary(t);
    const world = await openWorld(folder);
    const config = await pushBlob(world, apps, bytes('{}'));
    const subject = { mediaType: MEDIA_TYPES.ociManifest, digest: nowhere, size: 7 };
    const placed = await put(world, apps, imageBytes({ config, layers: [], subject }), 'v1');
    const { digest } = placed.descriptor;
    assert.equal((await referrers(world, nowhere)).length, 1);
    await rm(world.paths.blob(digest), { force: true });
    const after = await openWorld(folder);
    await after.hosted.changes.deleteManifest(apps, digest);
    assert.deepEqual(await referrers(after, nowhere), []);
  });

  test('of what is there and of what is not yet, until they are deleted', async (t) => {
    const folder = await temporary(t);
    const world = await openWorld(folder);
    const empty = { mediaType: 'application/vnd.oci.empty.v1+json' };
    const config = { ...(await pushBlob(world, apps, bytes('{}'))), ...empty };
    const subject = { mediaType: MEDIA_TYPES.ociManifest, digest: nowhere, size: 9 };
    const annotations = { a: 'b' };
    const signature = imageBytes({ config, layers: [], subject, annotations });
    const placed = await put(world, apps, signature);
    assert.equal(placed.subject, nowhere);
    const typed = indexBytes([], { subject, artifactType: 'application/x-list' });
    await put(world, apps, typed, 'list');
    for (const one of [world, await openWorld(folder)]) {
      const found = await referrers(one, nowhere);
      const expected = [
        { ...placed.descriptor, artifactType: empty.mediaType, annotations },
        {
          mediaType: MEDIA_TYPES.ociIndex,
          digest: digestOf(typed),
          size: typed.length,
          artifactType: 'application/x-list',
        },
      ];
      assert.deepEqual(
        found,
        expected.toSorted((a, b) => (a.digest < b.digest ? -1 : 1)),
      );
    }
    await world.hosted.changes.deleteManifest(apps, placed.descriptor.digest);
    assert.deepEqual(
      (await referrers(world, nowhere)).map(({ digest }) => digest),
      [digestOf(typed)],
    );
    assert.deepEqual(await referrers(world, placed.descriptor.digest), []);
  });
});

suite('deletion', () => {
  test('of a tag leaves the manifest and other tags', async (t) => {
    const world = await openWorld(await temporary(t));
    const { manifest } = await pushImage(world, apps, 'one', 'v1', 'latest');
    await world.hosted.changes.deleteTag(apps, v1);
    await assert.rejects(world.hosted.resolve(apps, v1), code('MANIFEST_UNKNOWN'));
    await assert.rejects(world.hosted.changes.deleteTag(apps, v1), code('MANIFEST_UNKNOWN'));
    assert.equal((await world.hosted.resolve(apps, latest)).descriptor.digest, manifest.digest);
    await pushImage(world, apps, 'one', 'v1');
    assert.equal((await world.hosted.resolve(apps, v1)).descriptor.digest, manifest.digest);
  });

  test('of a manifest takes its tags along, and only its', async (t) => {
    const world = await openWorld(await temporary(t));
    const { manifest } = await pushImage(world, apps, 'one', 'v1', 'latest');
    await pushImage(world, apps, 'two', 'v2');
    await world.hosted.changes.deleteManifest(apps, manifest.digest);
    assert.deepEqual((await world.hosted.tags(apps)).items, ['v2']);
    const again = world.hosted.changes.deleteManifest(apps, manifest.digest);
    await assert.rejects(again, code('MANIFEST_UNKNOWN'));
    await pushImage(world, apps, 'one', 'v1');
  });

  test('of a blob that a manifest needs is refused', async (t) => {
    const world = await openWorld(await temporary(t));
    const { manifest, blobs } = await pushImage(world, apps, 'one', 'v1');
    for (const blob of blobs) {
      await assert.rejects(world.hosted.changes.deleteBlob(apps, blob), code('DENIED', 405));
    }
    await world.hosted.changes.deleteManifest(apps, manifest.digest);
    await pushBlob(world, apps, bytes('what keeps the repository'));
    for (const blob of blobs) {
      await world.hosted.changes.deleteBlob(apps, blob);
      await assert.rejects(world.hosted.stat(apps, blob), code('BLOB_UNKNOWN'));
      await assert.rejects(world.hosted.changes.deleteBlob(apps, blob), code('BLOB_UNKNOWN'));
    }
  });

  test('of a manifest that an index lists is refused where nothing may be missing', async (t) => {
    for (const sparse of ['none', 'indexes', 'all'] as const) {
      const world = await openWorld(await temporary(t), { sparse });
      const { changes } = world.hosted;
      const child = await pushImage(world, apps, 'child', 'amd64');
      const { descriptor: index } = await put(world, apps, indexBytes([child.manifest]), 'multi');
      const outer = await put(world, apps, indexBytes([index]));
      const removing = changes.deleteManifest(apps, child.manifest.digest);
      if (sparse !== 'none') {
        await removing;
        continue;
      }
      await assert.rejects(removing, code('DENIED', 405));
      await assert.rejects(changes.deleteManifest(apps, index.digest), code('DENIED', 405));
      assert.deepEqual((await world.hosted.tags(apps)).items, ['amd64', 'multi']);
      await changes.deleteTag(apps, parseTag('amd64'));
      for (const { digest } of [outer.descriptor, index, child.manifest]) {
        await changes.deleteManifest(apps, digest);
      }
    }
  });

  test('where nothing was ever pushed', async (t) => {
    const world = await openWorld(await temporary(t));
    const { changes } = world.hosted;
    await assert.rejects(changes.deleteTag(apps, v1), code('NAME_UNKNOWN'));
    await assert.rejects(changes.deleteManifest(apps, nowhere), code('NAME_UNKNOWN'));
    await assert.rejects(changes.deleteBlob(apps, nowhere), code('NAME_UNKNOWN'));
    await assert.rejects(world.hosted.tags(apps), code('NAME_UNKNOWN'));
    assert.deepEqual(await referrers(world, nowhere), []);
  });
});

suite('a repository that has lost', () => {
  test('everything is as if it had never been, on the disk as well', async (t) => {
    const world = await openWorld(await temporary(t));
    const { changes } = world.hosted;
    const nested = repository('apps/api/nested');
    const { manifest, blobs } = await pushImage(world, apps, 'one', 'v1', 'latest');
    const config = await pushBlob(world, apps, bytes('{}'));
    const signature = imageBytes({ config, layers: [], subject: manifest });
    const { descriptor } = await put(world, apps, signature, 'signature');
    await pushBlob(world, nested, bytes('{}'));
    const listed = async () => (await listedRepositories(world.paths)).map(({ path }) => path);
    assert.deepEqual(await listed(), ['apps/api']);
    await changes.deleteTag(apps, parseTag('signature'));
    await changes.deleteManifest(apps, descriptor.digest);
    assert.deepEqual(await readdir(world.paths.repository(apps)), ['_links', '_tags', 'nested']);
    await changes.deleteManifest(apps, manifest.digest);
    assert.deepEqual(await readdir(world.paths.repository(apps)), ['_links', 'nested']);
    assert.deepEqual(await listed(), []);
    assert.deepEqual((await world.hosted.tags(apps)).items, []);
    for (const blob of [...blobs, config.digest]) await changes.deleteBlob(apps, blob);
    assert.deepEqual(await readdir(world.paths.repository(apps)), ['nested']);
    await assert.rejects(world.hosted.tags(apps), code('NAME_UNKNOWN'));
    await changes.deleteBlob(nested, config.digest);
    assert.deepEqual(await readdir(world.paths.repositories), []);
    await pushImage(world, apps, 'one', 'v1');
    assert.deepEqual(await listed(), ['apps/api']);
  });

  test('what is just being pushed to it takes that all the same', async (t) => {
    const world = await openWorld(await temporary(t));
    const { changes } = world.hosted;
    const names = ['a', 'a/b', 'a/b/c'].map((name) => repository(name));
    const contents = ['1', '2', '3'].map((text) => bytes(text));
    const rounds = async (to: Repository, content: Uint8Array): Promise<void> => {
      const digest = digestOf(content);
      for (let round = 0; round < 60; round += 1) {
        await pushBlob(world, to, content);
        assert.equal((await world.hosted.stat(to, digest)).size, content.length);
        const manifest = imageBytes({
          config: { mediaType: 'a/b', digest, size: content.length },
          layers: [],
          subject: { mediaType: 'a/b', digest, size: content.length },
        });
        const { descriptor } = await put(world, to, manifest, `t${digest.slice(7, 12)}`);
        assert.ok(await world.hosted.manifest(to, descriptor.digest));
        assert.equal((await world.hosted.referrers(to, digest)).items.length, 1);
        await changes.deleteManifest(to, descriptor.digest);
        await changes.deleteBlob(to, digest);
      }
    };
    const collecting = new AbortController();
    const collections = (async () => {
      while (!collecting.signal.aborted) await Array.fromAsync(world.hosted.collect('collect'));
    })();
    try {
      await Promise.all(names.flatMap((to) => contents.map((content) => rounds(to, content))));
    } finally {
      collecting.abort();
      await collections;
    }
    assert.deepEqual(await readdir(world.paths.repositories), []);
  });
});

suite('mounts', () => {
  test('from a repository that has the blob, or from any', async (t) => {
    const world = await openWorld(await temporary(t));
    const [from, to, third] = [repository('apps/from'), repository('apps/to'), repository('x')];
    const { digest, size } = await pushBlob(world, from, bytes('shared'));
    assert.equal(await world.hosted.mounts.mount(to, digest, third), undefined);
    assert.deepEqual(await world.hosted.mounts.mount(to, digest, from), { digest, size });
    assert.deepEqual(await world.hosted.mounts.mount(third, digest), { digest, size });
    await world.hosted.changes.deleteBlob(from, digest);
    assert.equal((await read(world, to, digest)).toString(), 'shared');
    assert.equal(await world.hosted.mounts.mount(from, nowhere), undefined);
  });

  test('from a mirrored repository that is known to hold it, and not from one that is not', async (t) => {
    const world = await openWorld(await temporary(t));
    const hub = { host: 'docker.io', path: 'library/nginx' };
    const { digest, size } = await pushBlob(world, apps, bytes('cached'));
    const to = repository('apps/to');
    assert.equal(await world.hosted.mounts.mount(to, digest, hub), undefined);
    await world.mirrored.set(hub, digest, { size });
    assert.deepEqual(await world.hosted.mounts.mount(to, digest, hub), { digest, size });
  });

  test('from nowhere that not everybody may read, named or not', async (t) => {
    const asked: string[] = [];
    const mountable = async ({ host, path }: Repository) => {
      asked.push(`${host}/${path}`);
      return path === 'open/app';
    };
    const world = await openWorld(await temporary(t), { mountable });
    const { mounts } = world.hosted;
    const [to, closed] = [repository('to'), repository('closed/app')];
    const { digest, size } = await pushBlob(world, closed, bytes('shared'));
    const secret = { host: 'gone.example', path: 'secret/app' };
    await world.mirrored.set(secret, digest, { size });
    for (const from of [closed, secret, undefined]) {
      assert.equal(await mounts.mount(to, digest, from), undefined);
    }
    assert.ok(asked.includes('gone.example/secret/app'));
    assert.deepEqual(await mounts.mount(closed, digest, closed), { digest, size });
    await world.mirrored.set({ host: 'quay.io', path: 'open/app' }, digest, { size });
    assert.deepEqual(await mounts.mount(to, digest), { digest, size });
  });

  test('content that nobody holds any more cannot be had by its digest', async (t) => {
    const world = await openWorld(await temporary(t));
    const { digest } = await pushBlob(world, apps, bytes('secret'));
    await world.hosted.changes.deleteBlob(apps, digest);
    assert.equal(await world.hosted.mounts.mount(repository('apps/to'), digest), undefined);
  });
});
