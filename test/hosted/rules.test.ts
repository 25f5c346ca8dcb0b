import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Collected } from '../../src/hosted/collect.ts';
import type { HostedRules } from '../../src/hosted/repositories.ts';
import { upkeep } from '../../src/hosted/upkeep.ts';
import { temporaryFolder } from '../fixtures/temporary.ts';
import {
  bytes,
  HOUR,
  imageBytes,
  MiB,
  openWorld,
  piece,
  pushBlob,
  pushImage,
  put,
  repository,
} from './world.ts';

const nothing = async function* (): AsyncGenerator<Collected> {};
const apps = repository('apps/api');
const RULES: HostedRules = {
  sparse: 'indexes',
  maxSize: MiB,
  expireAfter: HOUR,
  grace: HOUR,
  untaggedFor: HOUR,
  pins: [],
};

/** What lives here, by rules that change as the test says, at a time that it says. */
async function changing(folder: string) {
  let rules = RULES;
  let ahead = 0;
  const world = await openWorld(folder, { rules: () => rules, now: () => Date.now() + ahead });
  return {
    world,
    hosted: world.hosted,
    change: (changed: Partial<HostedRules>) => {
      rules = { ...rules, ...changed };
    },
    wait: (milliseconds: number) => {
      ahead += milliseconds;
    },
  };
}

test('another limit for blobs is kept to by uploads that have begun', async () => {
  await using folder = await temporaryFolder();
  const { hosted, change } = await changing(folder.path);
  const { id } = await hosted.uploads.start(apps);
  await hosted.uploads.append(apps, id, piece(bytes('1234567890')));
  change({ maxSize: 15 });
  await assert.rejects(hosted.uploads.append(apps, id, piece(bytes('1234567890'))), {
    code: 'SIZE_INVALID',
  });
  change({ maxSize: MiB });
  await pushBlob(await openWorld(folder.path), apps, bytes('1234567890'));
});

test('what a manifest may lack is asked when it comes', async () => {
  await using folder = await temporaryFolder();
  const { world, change } = await changing(folder.path);
  const config = await pushBlob(world, apps, bytes('{}'));
  const lacking = {
    mediaType: 'application/octet-stream',
    digest: 'sha256:'.concat('0'.repeat(64)) as typeof config.digest,
    size: 1,
  };
  const image = imageBytes({ config, layers: [lacking] });
  await assert.rejects(put(world, apps, image, 'v1'), { code: 'MANIFEST_BLOB_UNKNOWN' });
  change({ sparse: 'all' });
  await put(world, apps, image, 'v1');
});

test('uploads are over, and garbage is garbage, by the time that counts then', async () => {
  await using folder = await temporaryFolder();
  const { world, hosted, change, wait } = await changing(folder.path);
  await hosted.uploads.start(apps);
  wait(HOUR / 2);
  assert.equal(await hosted.expire(), 0);
  change({ expireAfter: 1000 });
  assert.equal(await hosted.expire(), 1);
  change({ expireAfter: HOUR });

  const { manifest } = await pushImage(world, apps, 'pinned');
  const collected = async () =>
    (await Array.fromAsync(hosted.collect('report'))).filter(({ type }) => type === 'removed');
  assert.equal((await collected()).length, 0);
  change({ grace: 1, untaggedFor: 1 });
  assert.equal((await collected()).length, 3);
  change({ pins: [{ repository: apps, digest: manifest.digest }] });
  assert.equal((await collected()).length, 0);
});

test('how often garbage is collected is asked each time', async () => {
  let every = 0;
  const stop = new AbortController();
  const log: string[] = [];
  const steps = [() => {}, () => (every = 5 * 60_000), () => {}, () => (every = 0), () => {}];
  await upkeep({
    hosted: {
      collect: () => {
        log.push('collect');
        return nothing();
      },
      expire: async () => 0,
    },
    every: () => every,
    signal: stop.signal,
    observe: () => {},
    wait: async (milliseconds) => {
      const step = steps.shift();
      if (step === undefined) stop.abort();
      stop.signal.throwIfAborted();
      log.push(`${milliseconds / 60_000}`);
      step?.();
    },
  });
  assert.deepEqual(log, ['10', '10', 'collect', '5', 'collect', '5', '10']);
});
