import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { after, suite, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { digestOf, type Digest } from '../../../src/core/digest.ts';
import { storedDigests } from '../../../src/store/stored.ts';
import { buildImage } from '../../fixtures/image-builder.ts';
import {
  changesOf,
  describe,
  isWait,
  killedProcess,
  type Killed,
} from '../../fixtures/killed-process.ts';
import { file } from '../../fixtures/layer-builder.ts';
import { temporaryFolder } from '../../fixtures/temporary.ts';
import { unsafeChanges } from '../../fixtures/unsafe-changes.ts';
import { APP, exported, keep, openWorld, tag, type World } from './world.ts';
import { parsePath, parseTag, type Repository } from '../../../src/core/reference.ts';
import { HOSTED } from '../../../src/core/hosted.ts';

const HERE = fileURLToPath(new URL('.', import.meta.url));
const TAGS = ['v1', 'v2'];

const template = await temporaryFolder();
after(() => template[Symbol.asyncDispose]());

const bundle = path.join(template.path, 'bundle.tar');
const image = buildImage([[file('a', 'the only layer')]], { repository: APP });
const parts = [image.manifest.descriptor, image.config, ...image.layers];
/** The same in two repositories that live in a mirror itself. */
const LIVES: readonly Repository[] = ['team/b', 'team/a'].map((name) => ({
  host: HOSTED,
  path: parsePath(name),
}));
const PUSHED = parseTag('v1');
const CONFIG = "hosted: ['team/**']";
{
  await using here = await openWorld({ config: CONFIG });
  await keep(here.store, image, parts);
  for (const name of TAGS) await tag(here.store, APP, name, image.manifest.descriptor);
  for (const repository of LIVES) await push(here, repository);
  await exported(here, ['docker.io/**', 'team/**'], { file: bundle });
}

async function push({ hosted }: World, repository: Repository): Promise<void> {
  for (const { digest } of [image.config, ...image.layers]) {
    const { body } = await image.source.blob(APP, digest);
    await hosted.uploads.whole(repository, digest, { body });
  }
  const { bytes, descriptor } = image.manifest;
  const put = { bytes, contentType: descriptor.mediaType, tags: [PUSHED] };
  await hosted.changes.putManifest(repository, put);
}

/** Imports in a process of its own, which is killed before its nth change to the disk. */
function run(folder: string, killAt?: number): Promise<Killed> {
  const script = path.join(HERE, 'crash-child.ts');
  const compiled = path.join(template.path, 'compiled');
  return killedProcess({ script, arguments: [folder, bundle], compiled, killAt });
}

async function isWhole(world: World, digest: Digest, size: number): Promise<boolean> {
  const link = await world.store.links.get(APP, digest);
  return link?.size === size && (await world.store.content.size(digest)) === size;
}

/** What has to hold after any crash. */
async function examine(folder: string, acknowledged: boolean): Promise<void> {
  await using world = await openWorld({ folder, config: CONFIG });
  // Whatever may go, goes: what is visible has to stay whole.
  await world.store.housekeeping.evictor.sweep({ reason: 'request', excess: () => Infinity });
  const { records, tags } = world.store;
  const visible = await Promise.all([
    ...TAGS.map(async (name) => (await tags.get(APP, parseTag(name))) !== undefined),
    ...LIVES.map(async (one) => (await records.tag(one, PUSHED)) !== undefined),
    ...LIVES.map(
      async (one) => (await records.link(one, image.manifest.descriptor.digest)) !== undefined,
    ),
  ]);
  assert.ok(visible.every(Boolean) || !visible.some(Boolean), `all or none: ${visible.join()}`);
  if (acknowledged) assert.ok(visible.every(Boolean), 'what was acknowledged is lost');
  if (visible.some(Boolean)) {
    for (const { digest, size } of parts) {
      assert.ok(await isWhole(world, digest, size), digest);
      for (const one of LIVES) assert.equal((await records.link(one, digest))?.size, size);
    }
  }
  for await (const digest of storedDigests(world.store.paths)) {
    assert.equal(digestOf(await readFile(world.store.paths.blob(digest))), digest);
  }
  // Nothing of what was begun is left over, and nothing is counted that is not there.
  assert.equal(world.store.housekeeping.ledger.partial, 0);
  // And life goes on.
  await world.import(await readFile(bundle));
  for (const { digest, size } of parts) assert.ok(await isWhole(world, digest, size), digest);
}

const whole = await run(path.join(template.path, 'whole'));
const operations = changesOf(whole);

test('a power failure right after an import loses nothing of it', () => {
  const [unsafe] = unsafeChanges(operations);
  // The index may be lost, and the lists for other tools, in the root, are written anew.
  const lost = unsafe?.what.filter((one) => !/names in \.$|index/.test(one));
  assert.deepEqual(lost, []);
});

suite('killed before each change to the disk', { concurrency: 2 }, () => {
  const changes = operations.filter(({ kind }) => kind !== 'acknowledged');
  assert.ok(changes.length > 40, 'the changes are seen');
  for (const [index, change] of changes.entries()) {
    if (isWait(change)) continue;
    test(`${index + 1}: ${describe(change)}`, async () => {
      const folder = path.join(template.path, `killed-${index + 1}`);
      const { lines, signal } = await run(folder, index + 1);
      // What goes on beside the import may take one change less the next time.
      if (!lines.includes('imported')) assert.equal(signal, 'SIGKILL');
      await examine(folder, lines.includes('imported'));
    });
  }
});
