import assert from 'node:assert/strict';
import { readFile, rm, stat } from 'node:fs/promises';
import { test, type TestContext } from 'node:test';
import { digestOf, type Digest } from '../../src/core/digest.ts';
import { HOSTED } from '../../src/core/hosted.ts';
import { parseTag } from '../../src/core/reference.ts';
import { summed } from '../../src/hosted/collection.ts';
import type { Shelf } from '../../src/image/bundle/shelf.ts';
import { storedDigests } from '../../src/store/stored.ts';
import { gate } from '../fixtures/gate.ts';
import { APP, exported, filled, openWorld, type World } from '../image/bundle/world.ts';

const TEAM = { host: HOSTED, path: 'team/app' };
const LATEST = parseTag('latest');

/** A store in which something lives, and where a collection spares nothing for being young. */
async function opened(t: TestContext): Promise<World> {
  const world = await openWorld({ config: "hosted: ['team/**']\ngc: { grace: 1ms, every: 0 }" });
  t.after(() => world[Symbol.asyncDispose]());
  return world;
}

/** A bundle of an image with several parts, and what is in it. */
async function bundle() {
  await using there = await openWorld();
  await filled(there);
  const { lock, bytes } = await exported(there, ['docker.io/**']);
  const content = new Map<Digest, Buffer>();
  for (const { digest } of lock.content) {
    content.set(digest, await readFile(there.store.paths.blob(digest)));
  }
  return { bytes, content };
}

/** Content that nothing leads to, as an import leaves it that was killed. */
async function orphan({ store, folder }: World, bytes: Uint8Array): Promise<Digest> {
  const digest = digestOf(bytes);
  await using ingest = await store.content.ingest(digest);
  await ingest.expect(bytes.length);
  await ingest.write(bytes);
  await ingest.commit();
  // A collection spares what is as young as itself.
  const { ctimeMs } = await stat(store.paths.blob(digest));
  while (Date.now() <= ctimeMs + 1) await stat(folder);
  return digest;
}

async function stored({ store }: World): Promise<ReadonlySet<Digest>> {
  return new Set(await Array.fromAsync(storedDigests(store.paths)));
}

/** A shelf on which nothing is placed before `go` is open. */
function stopping({ shelf }: World) {
  const found = gate();
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const stop = async (): Promise<void> => {
    found.open();
    await promise;
  };
  const { hosted } = shelf;
  const stopped: Shelf = {
    ...shelf,
    hosted: {
      ...hosted,
      async place(content, task) {
        await stop();
        return hosted.place(content, task);
      },
    },
  };
  return { shelf: stopped, found, go: { open: resolve, fail: reject } };
}

/** What a collection comes to, as far as it is about content. */
async function collected(world: World, mode: 'collect' | 'report' = 'collect') {
  const { freed, inUse } = await summed(world.hosted.collect(mode));
  return { freed, inUse };
}

async function readable(world: World, content: ReadonlyMap<Digest, Buffer>): Promise<void> {
  const there = await stored(world);
  for (const digest of content.keys()) assert.ok(there.has(digest), digest);
}

for (const { where, as } of [
  { where: 'a repository that lives here', as: { repository: TEAM, at: LATEST } },
  { where: 'a mirrored repository', as: undefined },
] as const) {
  test(`what an import into ${where} has found is not collected`, async (t) => {
    const { bytes, content } = await bundle();
    const world = await opened(t);
    for (const part of content.values()) await orphan(world, part);
    const stray = await orphan(world, Buffer.from('nobody uses it'));
    const { shelf, found, go } = stopping(world);
    const importing = world.import(bytes, { shelf, as });
    await Promise.race([found.opened, importing]);
    const expected = { freed: 1, inUse: content.size };
    assert.deepEqual(await collected(world, 'report'), expected);
    assert.deepEqual(await collected(world), expected);
    assert.equal((await stored(world)).has(stray), false);
    go.open();
    assert.equal((await importing).images.length, 1);
    await readable(world, content);
    assert.deepEqual(await collected(world), { freed: 0, inUse: 0 });
    await readable(world, content);
    const read = as === undefined ? world.store.tags.get(APP, LATEST) : world.hosted.tags(TEAM);
    assert.notEqual(await read, undefined);
  });

  test(`what an import into ${where} had found and came to nothing goes the next time`, async (t) => {
    const { bytes, content } = await bundle();
    const world = await opened(t);
    for (const part of content.values()) await orphan(world, part);
    const { shelf, found, go } = stopping(world);
    const importing = world.import(bytes, { shelf, as });
    await Promise.race([found.opened, importing]);
    assert.deepEqual(await collected(world), { freed: 0, inUse: content.size });
    const broken = new Error('the disk is gone');
    go.fail(broken);
    await assert.rejects(importing, broken);
    assert.deepEqual(await collected(world), { freed: content.size, inUse: 0 });
    assert.deepEqual(await stored(world), new Set());
  });

  test(`what an import into ${where} led to while a collection runs stays`, async (t) => {
    const { bytes, content } = await bundle();
    const world = await opened(t);
    for (const part of content.values()) await orphan(world, part);
    let freed = 0;
    for await (const found of world.hosted.collect('collect')) {
      if (found.type !== 'freed') continue;
      freed += 1;
      // By now the links of all repositories have been looked through.
      if (freed === 1) assert.equal((await world.import(bytes, { as })).blobs, 1);
    }
    assert.equal(freed, 1);
    await readable(world, content);
    assert.deepEqual(await collected(world), { freed: 0, inUse: 0 });
  });
}

test('content that somebody reads goes when nobody does any more', async (t) => {
  const world = await opened(t);
  const digest = await orphan(world, Buffer.from('being read'));
  const { ledger } = world.store.housekeeping;
  {
    await using blob = await world.store.content.open(digest);
    assert.deepEqual(await collected(world), { freed: 0, inUse: 1 });
    assert.equal(Buffer.concat(await Array.fromAsync(blob?.body ?? [])).toString(), 'being read');
    assert.equal(ledger.stored.objects, 1);
  }
  assert.deepEqual(await collected(world), { freed: 1, inUse: 0 });
  assert.equal(ledger.stored.objects, 0);
});

test('what a failed import had brought stays where it was pushed meanwhile, also without the index', async (t) => {
  const { bytes, content } = await bundle();
  const world = await opened(t);
  const { shelf, found, go } = stopping(world);
  const importing = world.import(bytes, { shelf });
  await Promise.race([found.opened, importing]);
  const [pushed, cached] = [...content.keys()];
  assert.ok(pushed !== undefined && cached !== undefined);
  const body = async function* () {
    yield content.get(pushed) ?? assert.fail();
  };
  await world.hosted.uploads.whole(TEAM, pushed, { body: body() });
  await world.store.links.set(APP, cached, { size: content.get(cached)?.length ?? 0 });
  await rm(world.store.paths.blobIndex);
  world.store.housekeeping.database.look();
  const broken = new Error('the disk is gone');
  go.fail(broken);
  await assert.rejects(importing, broken);
  assert.deepEqual(await stored(world), new Set([pushed, cached]));
});
