import assert from 'node:assert/strict';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { suite, test } from 'node:test';
import { digestOf } from '../../src/core/digest.ts';
import { check } from '../../src/hosted/check.ts';
import { diskStore } from '../../src/store/disk.ts';
import {
  bytes,
  imageBytes,
  openWorld,
  pushBlob,
  pushImage,
  put,
  repository,
  temporary,
  type World,
} from './world.ts';

const apps = repository('apps/api');

async function wrong({ records, paths }: World): Promise<readonly unknown[]> {
  const content = await diskStore({ paths });
  return Array.fromAsync(check({ records, content, sparse: 'none' }));
}

suite('a list of referrers', () => {
  test('with one that the repository does not have is wrong, and with one that is no manifest', async (t) => {
    const folder = await temporary(t);
    const world = await openWorld(folder);
    const { manifest: subject } = await pushImage(world, apps, 'subject', 'v1');
    const config = await pushBlob(world, apps, bytes('{}'));
    const { descriptor } = await put(world, apps, imageBytes({ config, layers: [], subject }));
    const { digest } = descriptor;
    assert.deepEqual(await wrong(world), []);
    await rm(world.paths.link(apps, digest));
    const lacking = { repository: apps, neededBy: subject.digest, digest, lacks: 'link' };
    assert.deepEqual(await wrong(await openWorld(folder)), [lacking]);
    await writeFile(world.paths.link(apps, digest), JSON.stringify({ size: descriptor.size }));
    assert.deepEqual(await wrong(await openWorld(folder)), [lacking]);
  });

  test('of a subject that never came is right; one of a manifest that refers to another is not', async (t) => {
    const folder = await temporary(t);
    const world = await openWorld(folder);
    const config = await pushBlob(world, apps, bytes('{}'));
    const subject = { mediaType: config.mediaType, digest: digestOf(bytes('later')), size: 5 };
    const { descriptor } = await put(world, apps, imageBytes({ config, layers: [], subject }));
    assert.deepEqual(await wrong(world), []);
    const elsewhere = world.paths.referrer(apps, config.digest, descriptor.digest);
    await mkdir(path.dirname(elsewhere), { recursive: true });
    await writeFile(elsewhere, JSON.stringify(descriptor));
    assert.deepEqual(await wrong(await openWorld(folder)), [
      { repository: apps, neededBy: config.digest, digest: descriptor.digest, lacks: 'subject' },
    ]);
  });

  test('with one whose content is missing is told of once', async (t) => {
    const folder = await temporary(t);
    const world = await openWorld(folder);
    const { manifest: subject } = await pushImage(world, apps, 'subject', 'v1');
    const config = await pushBlob(world, apps, bytes('{}'));
    const { descriptor } = await put(world, apps, imageBytes({ config, layers: [], subject }));
    const { digest } = descriptor;
    await rm(world.paths.blob(digest));
    assert.deepEqual(await wrong(await openWorld(folder)), [
      { repository: apps, neededBy: undefined, digest, lacks: 'content' },
    ]);
  });
});
