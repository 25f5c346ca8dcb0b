import assert from 'node:assert/strict';
import { digestOf, type Digest } from '../../src/core/digest.ts';
import { MEDIA_TYPES } from '../../src/core/media-type.ts';
import { parseTag } from '../../src/core/reference.ts';
import {
  bytes,
  imageBytes,
  piece,
  pushBlob,
  pushImage,
  put,
  repository,
  type World,
} from './world.ts';

const apps = repository('apps/api');
const fresh = repository('apps/fresh');
const old = bytes('layer of old');
const [config, layer, single] = [bytes('{"a":1}'), bytes('a layer'), bytes('at once')];
const type = 'application/octet-stream';
const described = (content: Uint8Array) => ({
  mediaType: type,
  digest: digestOf(content),
  size: content.length,
});
const subject = { mediaType: MEDIA_TYPES.ociManifest, digest: digestOf(bytes('subject')), size: 7 };
const image = imageBytes({
  config: described(config),
  layers: [described(layer), described(single)],
  subject,
});
const unwanted = imageBytes({ config: described(config), layers: [], annotations: { no: 'more' } });

const orphan = imageBytes({ config: described(config), layers: [], subject, orphan: true });

/** Whether each part of what the step does can be seen. */
type Seen = Readonly<Record<string, boolean>>;

export interface Step {
  readonly name: string;
  run(world: World): Promise<unknown>;
  seen(world: World): Promise<Seen>;
}

async function can(promise: Promise<unknown>): Promise<boolean> {
  try {
    await promise;
    return true;
  } catch (error) {
    assert.ok(
      error instanceof Error && 'code' in error && String(error.code).endsWith('_UNKNOWN'),
      String(error),
    );
    return false;
  }
}

async function means(world: World, tag: string, digest: Digest): Promise<boolean> {
  try {
    const { descriptor } = await world.hosted.manifest(apps, parseTag(tag));
    return descriptor.digest === digest;
  } catch {
    return false;
  }
}

const not = (seen: Seen): Seen =>
  Object.fromEntries(Object.entries(seen).map(([part, is]) => [part, !is]));

/** What is there before the first step. */
export async function prepare(world: World): Promise<void> {
  await pushImage(world, apps, 'old', 'latest', 'old');
}

async function imageSeen(world: World): Promise<Seen> {
  const digest = digestOf(image);
  const { items } = await world.hosted.referrers(apps, subject.digest);
  return {
    latest: await means(world, 'latest', digest),
    v2: await means(world, 'v2', digest),
    digest: await can(world.hosted.manifest(apps, digest)),
    referrer: items.some((one) => one.digest === digest),
  };
}

const blobSeen = async (world: World, content: Uint8Array, where = apps): Promise<Seen> => ({
  blob: await can(
    world.hosted.blob(where, digestOf(content)).then((blob) => blob[Symbol.asyncDispose]()),
  ),
});

async function unwantedSeen(world: World): Promise<Seen> {
  const digest = digestOf(unwanted);
  return {
    tag: await means(world, 'unwanted', digest),
    other: await means(world, 'other', digest),
    digest: await can(world.hosted.manifest(apps, digest)),
  };
}

async function orphanSeen(world: World): Promise<Seen> {
  const digest = digestOf(orphan);
  const { items } = await world.hosted.referrers(apps, subject.digest);
  return {
    digest: await can(world.hosted.manifest(apps, digest)),
    referrer: items.some((one) => one.digest === digest),
  };
}

/** It may end at any point: what it takes goes piece by piece. */
export const COLLECTION = 'a collection';

/** In this order; all of them together are what a day brings. */
export const STEPS: readonly Step[] = [
  {
    name: 'a blob in chunks',
    run: (world) => pushBlob(world, apps, config),
    seen: (world) => blobSeen(world, config),
  },
  {
    name: 'a blob that continues an upload',
    async run({ hosted }) {
      const { id } = await hosted.uploads.start(apps);
      await hosted.uploads.append(apps, id, piece(layer.subarray(0, 3)));
      await hosted.uploads.finish(apps, id, digestOf(layer), piece(layer.subarray(3), 3));
    },
    seen: (world) => blobSeen(world, layer),
  },
  {
    name: 'a blob at once',
    run: ({ hosted }) => hosted.uploads.whole(apps, digestOf(single), piece(single)),
    seen: (world) => blobSeen(world, single),
  },
  {
    name: 'a manifest with two tags and a subject',
    run: (world) => put(world, apps, image, 'latest', 'v2'),
    seen: imageSeen,
  },
  {
    name: 'a mount into a new repository',
    run: ({ hosted }) => hosted.mounts.mount(fresh, digestOf(old), apps),
    seen: (world) => blobSeen(world, old, fresh),
  },
  {
    name: 'another manifest',
    run: (world) => put(world, apps, unwanted, 'unwanted', 'other'),
    seen: unwantedSeen,
  },
  {
    name: 'its deletion, tags and all',
    run: ({ hosted }) => hosted.changes.deleteManifest(apps, digestOf(unwanted)),
    seen: async (world) => not(await unwantedSeen(world)),
  },
  {
    name: 'the deletion of a tag',
    run: ({ hosted }) => hosted.changes.deleteTag(apps, parseTag('old')),
    seen: async (world) => ({ gone: !(await can(world.hosted.manifest(apps, parseTag('old')))) }),
  },
  {
    name: 'a blob that is deleted again',
    async run(world) {
      const { digest } = await pushBlob(world, apps, bytes('short-lived'));
      await world.hosted.changes.deleteBlob(apps, digest);
    },
    seen: async (world) => not(await blobSeen(world, bytes('short-lived'))),
  },
  {
    name: 'a referrer that no tag leads to',
    run: (world) => put(world, apps, orphan),
    seen: (world) => orphanSeen(world),
  },
  {
    name: COLLECTION,
    run: ({ hosted }) => Array.fromAsync(hosted.collect('collect')),
    seen: async (world) => not(await orphanSeen(world)),
  },
];
