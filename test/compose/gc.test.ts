import assert from 'node:assert/strict';
import { readdir, rm, utimes } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import type { Choices } from '../../src/cli/actions.ts';
import { actionsFor } from '../../src/compose/actions.ts';
import { openHosted } from '../../src/compose/hosted.ts';
import { administrationOf } from '../../src/compose/administration.ts';
import { startAdminServer } from '../../src/compose/admin-server.ts';
import { housekeepingOf } from '../../src/compose/housekeeping.ts';
import { openStore } from '../../src/compose/store.ts';
import { load } from '../../src/config/load.ts';
import { temporaryFolder } from '../fixtures/temporary.ts';
import { bytes, openWorld, pushBlob, pushImage, repository } from '../hosted/world.ts';

const apps = repository('apps/api');

/** A store with an image, and a blob that nothing lists; both two days old. */
async function garden(folder: string) {
  const world = await openWorld(folder);
  const image = await pushImage(world, apps, 'kept', 'v1');
  const stray = await pushBlob(world, apps, bytes('stray'));
  const time = Date.now() / 1000 - 2 * 24 * 60 * 60;
  for (const name of await readdir(folder, { recursive: true })) {
    await utimes(path.join(folder, name), time, time);
  }
  const actions = actionsFor({ version: '0', environment: {} });
  const choices: Choices = {
    config: undefined,
    overrides: [{ flag: '--storage', key: 'storage.path', value: folder }],
  };
  return { world, image, stray, actions, upkeep: actions.upkeep, choices };
}

test('gc removes what it has listed before, without a server', async () => {
  await using folder = await temporaryFolder();
  const { world, stray, upkeep, choices } = await garden(folder.path);
  const listed: unknown[] = [];
  for await (const one of upkeep.garbage(choices)) {
    if (one.type === 'removed') listed.push([one.repository, one.digest, one.kind]);
  }
  assert.deepEqual(listed, [[apps, stray.digest, 'blob']]);
  assert.notEqual(await world.records.link(apps, stray.digest), undefined);
  const { manifests, blobs, kept } = await upkeep.collect(choices);
  assert.deepEqual([manifests, blobs, kept], [0, 1, { tagged: 1, needed: 2 }]);
  assert.equal(await (await openWorld(folder.path)).records.link(apps, stray.digest), undefined);
});

test('gc asks the server that runs on the store', async () => {
  await using folder = await temporaryFolder();
  const { stray, upkeep, choices } = await garden(folder.path);
  const text = 'gc: { every: 0, grace: 1ms }\n';
  const { config } = load({ file: { name: 'c', text }, environment: {}, overrides: [] });
  await using admin = await startAdminServer({ host: '127.0.0.1', port: 0 }, (error) => {
    throw error;
  });
  await using store = await openStore({
    path: folder.path,
    verifyRate: () => 0,
    admin: admin.address,
    observe: () => {},
    housekeeping: housekeepingOf(() => config),
  });
  await using hosted = openHosted(() => config, store);
  const prefetch = () => Promise.reject(new Error('prefetch'));
  admin.open({ ...administrationOf(store, hosted), prefetch, import: prefetch });
  const use = store.housekeeping.uses.begin(stray.digest);
  const { blobs, kept, freed, inUse, inUseBytes } = await upkeep.collect(choices);
  assert.deepEqual(kept, { tagged: 1, needed: 2 });
  assert.deepEqual(
    { blobs, freed, inUse, inUseBytes },
    { blobs: 1, freed: 0, inUse: 1, inUseBytes: 5 },
  );
  assert.equal(await store.records.link(apps, stray.digest), undefined);
  assert.equal(await store.content.size(stray.digest), 5);
  use[Symbol.dispose]();
  const again = await upkeep.collect(choices);
  assert.deepEqual([again.freed, again.freedBytes, again.inUse], [1, 5, 0]);
  assert.equal(await store.content.size(stray.digest), undefined);
});

test('verify follows the references of what lives here', async () => {
  await using folder = await temporaryFolder();
  const { world, image, actions, choices } = await garden(folder.path);
  const missing = async () => {
    const found: unknown[] = [];
    for await (const one of actions.verify({ ...choices, pace: 'full' })) {
      if (one.outcome !== 'ok') found.push(one);
    }
    return found;
  };
  assert.deepEqual(await missing(), []);
  const [config, layer] = image.blobs;
  assert.ok(config !== undefined && layer !== undefined);
  await rm(world.paths.blob(config));
  await rm(world.paths.link(apps, layer));
  const { digest } = image.manifest;
  assert.deepEqual(
    new Set(await missing()),
    new Set([
      { repository: 'apps/api', digest: config, outcome: 'missing-content' },
      { repository: 'apps/api', digest: layer, outcome: 'missing-link', neededBy: digest },
    ]),
  );
  await rm(world.paths.link(apps, digest));
  const tagged = { repository: 'apps/api', digest, outcome: 'missing-link', neededBy: 'v1' };
  const again = await missing();
  assert.ok(
    again.some((one) => JSON.stringify(one) === JSON.stringify(tagged)),
    JSON.stringify(again),
  );
});
