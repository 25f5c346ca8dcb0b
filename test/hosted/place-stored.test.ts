import assert from 'node:assert/strict';
import { stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { suite, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { digestOf, type Digest } from '../../src/core/digest.ts';
import { MEDIA_TYPES } from '../../src/core/media-type.ts';
import { parseTag } from '../../src/core/reference.ts';
import type { StoredManifest, Tagged } from '../../src/hosted/place-stored.ts';
import type { Change } from '../../src/store/journal.ts';
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

const [one, two, three] = ['apps/one', 'apps/two', 'apps/three'].map(repository) as [
  ReturnType<typeof repository>,
  ReturnType<typeof repository>,
  ReturnType<typeof repository>,
];
const v1 = parseTag('v1');

interface Stored {
  readonly manifest: StoredManifest;
  readonly tags: readonly Tagged[];
}

/** A manifest as an import has it: content that no repository holds; and the tags it is to get. */
async function stored(
  { paths }: World,
  to: ReturnType<typeof repository>,
  manifest: Uint8Array,
  ...tags: readonly string[]
): Promise<Stored> {
  const digest = digestOf(manifest);
  await writeFile(paths.blob(digest), manifest);
  const { mediaType: contentType } = JSON.parse(Buffer.from(manifest).toString()) as {
    mediaType: string;
  };
  return {
    manifest: { repository: to, put: { bytes: manifest, contentType, digest } },
    tags: tags.map((tag) => ({ repository: to, tag: parseTag(tag), digest })),
  };
}

/** Places all of it; `before` runs when nobody else can change anything of it any more. */
function place(
  { hosted }: World,
  images: readonly Stored[],
  more: readonly Change[] = [],
  before: () => Promise<void> = async () => {},
): Promise<void> {
  const manifests = images.map(({ manifest }) => manifest);
  const tags = images.flatMap((image) => image.tags);
  return hosted.place({ blobs: [], manifests, beside: [] }, async (commit) => {
    await before();
    await commit(tags, more);
  });
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
    const images = [index, await stored(world, one, image), other];
    await place(world, images, [{ name, text: 'told' }]);
    const told = await world.hosted.manifest(one, v1);
    assert.equal(told.descriptor.digest, index.manifest.put.digest);
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
      place(world, [right, wrong], [{ name, text: 'told' }]),
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
      ...given.map((images) => place(world, images)),
      ...[one, two, three].map((to) => pushImage(world, to, 'pushed', 'v2')),
      Array.fromAsync(world.hosted.collect('collect')),
    ]);
    for (const to of [one, two, three]) {
      assert.deepEqual((await world.hosted.tags(to)).items, ['v1', 'v2']);
      await put(world, to, images[0]?.[1] ?? bytes(''), 'v3');
    }
  });

  test('get their tags while nobody else can move them, and a push meanwhile comes after', async (t) => {
    const world = await openWorld(await temporary(t));
    const image = await stored(world, one, await imageOf(world, one, 'a'), 'v1');
    const order: string[] = [];
    let pushed: Promise<unknown> = Promise.resolve();
    await place(world, [image], [], async () => {
      pushed = pushImage(world, one, 'pushed', 'v1').then(() => order.push('pushed'));
      // Its blobs need no more than their own digests' locks.
      while ((await Array.fromAsync(world.records.links(one))).length < 4) await setImmediate();
      assert.equal(await world.records.tag(one, v1), undefined);
    });
    order.push('placed');
    assert.equal((await world.records.tag(one, v1))?.descriptor.digest, image.manifest.put.digest);
    await pushed;
    assert.deepEqual(order, ['placed', 'pushed']);
    const record = await world.records.tag(one, v1);
    assert.deepEqual(
      record?.history.map(({ digest }) => digest),
      [image.manifest.put.digest],
    );
  });

  test('change nothing, and are held by nobody, where they are thought better of', async (t) => {
    const held: Digest[] = [];
    const world = await openWorld(await temporary(t), { onHeld: (digest) => held.push(digest) });
    const config = bytes('{}');
    const digest = digestOf(config);
    await writeFile(world.paths.blob(digest), config);
    const blob = { repository: one, digest, size: config.length };
    const descriptor = {
      mediaType: 'application/vnd.oci.image.config.v1+json',
      digest,
      size: config.length,
    };
    const image = await stored(world, one, imageBytes({ config: descriptor, layers: [] }), 'v1');
    const content = { blobs: [blob], manifests: [image.manifest], beside: [] };
    const reason = new Error('thought better of');
    await assert.rejects(
      world.hosted.place(content, async () => {
        throw reason;
      }),
      reason,
    );
    assert.deepEqual(held, []);
    assert.deepEqual(await Array.fromAsync(world.records.links(one)), []);
    assert.equal(await world.records.tags(one), undefined);
    await world.hosted.place(content, (commit) => commit(image.tags, []));
    assert.equal((await world.hosted.manifest(one, v1)).descriptor.digest, image.tags[0]?.digest);
    assert.deepEqual(await read(world, one, digest), Buffer.from(config));
    assert.deepEqual(new Set(held), new Set([digest, image.tags[0]?.digest]));
  });

  test('may be blobs as well', async (t) => {
    const world = await openWorld(await temporary(t));
    const manifest = await imageOf(world, one, 'a');
    const image = await stored(world, one, manifest, 'v1');
    const digest = digestOf(manifest);
    const { mediaType } = JSON.parse(Buffer.from(manifest).toString()) as { mediaType: string };
    const layer = { mediaType, digest, size: manifest.length };
    const config = await pushBlob(world, one, bytes('{}'));
    const other = await stored(world, one, imageBytes({ config, layers: [layer] }), 'v2');
    const content = {
      blobs: [{ repository: one, digest, size: manifest.length }],
      manifests: [image.manifest, other.manifest],
      beside: [],
    };
    await world.hosted.place(content, (commit) => commit([...image.tags, ...other.tags], []));
    assert.deepEqual(await read(world, one, digest), Buffer.from(manifest));
    assert.equal((await world.hosted.manifest(one, v1)).descriptor.digest, digest);
    // And again, when all of it is there.
    await world.hosted.place(content, (commit) => commit([...image.tags, ...other.tags], []));
    assert.deepEqual(await read(world, one, digest), Buffer.from(manifest));
  });

  test('and what changes beside them elsewhere wait for each other', async (t) => {
    const world = await openWorld(await temporary(t));
    const beside = [{ host: 'docker.io', path: 'library/app' }];
    const order: string[] = [];
    const content = { blobs: [], manifests: [], beside };
    let second: Promise<unknown> = Promise.resolve();
    await world.hosted.place(content, async (commit) => {
      second = world.hosted.place(content, async () => void order.push('second'));
      await commit([], [{ name: path.join(world.paths.repositories, 'other'), text: 'told' }]);
      order.push('first');
    });
    await second;
    assert.deepEqual(order, ['first', 'second']);
  });
});
