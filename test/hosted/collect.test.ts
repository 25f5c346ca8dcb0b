import assert from 'node:assert/strict';
import { readdir, stat, utimes } from 'node:fs/promises';
import path from 'node:path';
import { suite, test } from 'node:test';
import { digestOf, hexOf, type Digest } from '../../src/core/digest.ts';
import { MEDIA_TYPES } from '../../src/core/media-type.ts';
import { parseTag } from '../../src/core/reference.ts';
import { check } from '../../src/hosted/check.ts';
import type { HostedOptions, HostedRules } from '../../src/hosted/repositories.ts';
import { diskStore } from '../../src/store/disk.ts';
import { Paths } from '../../src/store/paths.ts';
import { Records } from '../../src/store/records.ts';
import type { ContentStore } from '../../src/store/store.ts';
import { storedDigests } from '../../src/store/stored.ts';
import { gate } from '../fixtures/gate.ts';
import {
  bytes,
  code,
  HOUR,
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

/** Makes everything in the store as old as that. */
async function age(world: World, milliseconds: number): Promise<void> {
  const time = (Date.now() - milliseconds) / 1000;
  for (const name of await readdir(world.paths.root, { recursive: true })) {
    await utimes(path.join(world.paths.root, name), time, time);
  }
}

async function stored(world: World): Promise<ReadonlySet<Digest>> {
  const found = new Set<Digest>();
  for await (const digest of storedDigests(world.paths)) found.add(digest);
  return found;
}

async function collected(world: World, mode: 'collect' | 'report' = 'collect') {
  const outcome = {
    removed: new Set<Digest>(),
    freed: new Set<Digest>(),
    kept: {} as Record<string, number>,
  };
  for await (const one of world.hosted.collect(mode)) {
    if (one.type === 'removed') outcome.removed.add(one.digest);
    else if (one.type === 'freed') outcome.freed.add(one.digest);
    else if (one.type === 'kept') {
      for (const [why, count] of one.reasons) outcome.kept[why] = (outcome.kept[why] ?? 0) + count;
    }
  }
  return outcome;
}

async function wrong(world: World): Promise<readonly unknown[]> {
  const content = await diskStore({ paths: world.paths });
  const found: unknown[] = [];
  for await (const one of check({ ...world, content, sparse: 'indexes' })) found.push(one);
  return found;
}

/**
 * A file's change of status cannot be set back, so content is as young as the test. The grace is a
 * moment, and the clock is a little ahead: everything that was written by itself is old enough.
 */
const GRACE = 1;
const AHEAD = 10_000;

suite('a collection', () => {
  const open = async (folder: string, options: Partial<HostedOptions & HostedRules> = {}) =>
    openWorld(folder, {
      grace: GRACE,
      untaggedFor: HOUR,
      now: () => Date.now() + AHEAD,
      ...options,
    });

  test('keeps what tags lead to, by way of indexes and referrers, and frees the rest', async (t) => {
    const world = await open(await temporary(t));
    const tagged = await pushImage(world, apps, 'tagged', 'v1');
    const child = await pushImage(world, apps, 'child');
    await put(world, apps, indexBytes([child.manifest]), 'multi');
    const config = await pushBlob(world, apps, bytes('{}'));
    const subject = child.manifest;
    const signature = await put(world, apps, imageBytes({ config, layers: [], subject }));
    const about = { ...signature.descriptor };
    const second = await put(world, apps, imageBytes({ config, layers: [], subject: about }));
    const old = await pushImage(world, apps, 'old', 'moved');
    await pushImage(world, apps, 'new', 'moved');
    const stray = await pushBlob(world, apps, bytes('stray'));
    await age(world, 2 * HOUR);

    const before = await stored(world);
    const report = await collected(world, 'report');
    assert.deepEqual(await stored(world), before, 'a report changes nothing');
    const { removed, freed, kept } = await collected(world);
    assert.deepEqual([report.removed, report.freed], [removed, freed]);
    const garbage = new Set([old.manifest.digest, ...old.blobs, stray.digest]);
    assert.deepEqual([removed, freed], [garbage, garbage]);
    assert.deepEqual(kept, { tagged: 3, listed: 1, refers: 2, needed: 7 });
    const after = await stored(world);
    for (const digest of garbage) assert.ok(!after.has(digest));
    for (const digest of [...tagged.blobs, second.descriptor.digest]) assert.ok(after.has(digest));
    await assert.rejects(
      world.hosted.manifest(apps, old.manifest.digest),
      code('MANIFEST_UNKNOWN'),
    );
    assert.deepEqual(await wrong(world), []);
    assert.deepEqual((await collected(world)).removed, new Set());
    await pushImage(world, apps, 'old', 'back');
    assert.deepEqual(await wrong(world), []);
  });

  test('keeps manifests that are pinned, or young, or still asked for', async (t) => {
    const folder = await temporary(t);
    const first = await open(folder);
    const [pinned, asked, forgotten] = [
      await pushImage(first, apps, 'pinned'),
      await pushImage(first, apps, 'asked'),
      await pushImage(first, apps, 'forgotten'),
    ];
    await age(first, 2 * HOUR);
    const pins = [{ repository: apps, digest: pinned.manifest.digest }];
    const world = await open(folder, { pins });
    const young = await pushImage(world, apps, 'young');
    await world.hosted.resolve(apps, asked.manifest.digest);
    const { removed } = await collected(world);
    assert.deepEqual(removed, new Set([forgotten.manifest.digest, ...forgotten.blobs]));
    assert.ok((await stored(world)).has(young.manifest.digest));
    assert.deepEqual(await wrong(world), []);
  });

  test('the time of a manifest without a tag begins when it loses its last one', async (t) => {
    const world = await open(await temporary(t));
    const one = await pushImage(world, apps, 'one', 'v1', 'v2');
    await age(world, 2 * HOUR);
    await pushImage(world, apps, 'two', 'v1');
    await world.hosted.changes.deleteTag(apps, parseTag('v2'));
    assert.ok(!(await collected(world)).removed.has(one.manifest.digest));
    await age(world, 2 * HOUR);
    assert.ok((await collected(world)).removed.has(one.manifest.digest));
  });

  test('keeps blobs that were pushed, mounted or asked about not long ago', async (t) => {
    const folder = await temporary(t);
    const past = await open(folder, { grace: HOUR });
    const [asked, forgotten, source] = [
      await pushBlob(past, apps, bytes('asked')),
      await pushBlob(past, apps, bytes('forgotten')),
      await pushBlob(past, apps, bytes('source')),
    ];
    await age(past, 2 * HOUR);
    const to = repository('apps/to');
    await past.hosted.mounts.mount(to, source.digest, apps);
    await past.hosted.stat(apps, asked.digest);
    const { removed, freed } = await collected(past);
    assert.deepEqual(removed, new Set([forgotten.digest, source.digest]));
    // The content itself came less than an hour ago.
    assert.deepEqual(freed, new Set());
    assert.equal((await read(past, to, source.digest)).toString(), 'source');
    assert.equal((await read(past, apps, asked.digest)).toString(), 'asked');
  });

  test('leaves content to a mirrored repository that holds it', async (t) => {
    const world = await open(await temporary(t));
    const { digest, size } = await pushBlob(world, apps, bytes('cached as well'));
    await world.mirrored.set({ host: 'docker.io', path: 'library/x' }, digest, { size });
    await age(world, HOUR);
    const { removed, freed } = await collected(world);
    assert.deepEqual([removed, freed], [new Set([digest]), new Set()]);
    assert.ok((await stored(world)).has(digest));
  });

  test('keeps every blob of a repository whose manifest cannot be read', async (t) => {
    const world = await open(await temporary(t));
    const { manifest, blobs } = await pushImage(world, apps, 'one', 'v1');
    const again = await open(world.paths.root);
    const content = await diskStore({ paths: world.paths });
    await using blob = await content.open(manifest.digest);
    assert.equal(await blob?.setAside('digest'), true);
    await age(world, 2 * HOUR);
    const { removed, kept } = await collected(again);
    assert.deepEqual(removed, new Set());
    assert.equal(kept['unsure'], blobs.length);
    assert.deepEqual(await wrong(again), [
      { repository: apps, neededBy: undefined, digest: manifest.digest, lacks: 'content' },
    ]);
    await pushImage(again, apps, 'one', 'v1');
    assert.deepEqual(await wrong(again), []);
  });

  test('content that is pushed again after everything was looked through stays', async (t) => {
    const world = await open(await temporary(t));
    const garbage = [bytes('one'), bytes('two'), bytes('three')];
    for (const content of garbage) await pushBlob(world, apps, content);
    await age(world, 2 * HOUR);
    const freed = new Set<Digest>();
    for await (const found of world.hosted.collect('collect')) {
      if (found.type !== 'freed') continue;
      freed.add(found.digest);
      if (freed.size > 1) continue;
      for (const content of garbage) await pushBlob(world, apps, content);
    }
    assert.equal(freed.size, 1);
    for (const content of garbage) {
      assert.ok((await read(world, apps, digestOf(content))).equals(content));
    }
  });

  test('a push of content that is being removed waits for that, and puts it back', async (t) => {
    const folder = await temporary(t);
    const content = await diskStore({ paths: new Paths(folder) });
    const [removing, go] = [gate(), gate()];
    const slow: ContentStore = {
      open: (digest, options) => content.open(digest, options),
      size: (digest) => content.size(digest),
      ingest: (digest) => content.ingest(digest),
      async remove(digest) {
        removing.open();
        await go.opened;
        await content.remove(digest);
      },
    };
    const world = await open(folder, { content: slow });
    const { digest } = await pushBlob(world, apps, bytes('again'));
    await age(world, 2 * HOUR);
    const collecting = collected(world);
    await removing.opened;
    const pushing = pushBlob(world, apps, bytes('again'));
    // Time for the push to get as far as it can.
    while ((await readdir(world.paths.uploads)).length === 0) await new Promise(setImmediate);
    for (let turn = 0; turn < 50; turn += 1) await stat(folder);
    go.open();
    assert.deepEqual((await collecting).freed, new Set([digest]));
    await pushing;
    assert.equal((await read(world, apps, digest)).toString(), 'again');
  });

  test('content whose link is on its way when a collection begins stays', async (t) => {
    const [linked, stray] = ['one', 'two'].map((text) => digestOf(bytes(text))) as [Digest, Digest];
    const [writing, go] = [gate(), gate()];
    class SlowRecords extends Records {
      override async change(changes: Parameters<Records['change']>[0]): Promise<void> {
        writing.open();
        await go.opened;
        await super.change(changes);
        // By the clock of this test it is new, too.
        await this.use(apps, linked, Date.now() + 2 * AHEAD);
      }
    }
    const folder = await temporary(t);
    const records = new SlowRecords(new Paths(folder));
    const world = await open(folder, { records });
    const content = await diskStore({ paths: world.paths });
    for (const text of ['one', 'two']) {
      await using ingest = await content.ingest(digestOf(bytes(text)));
      await ingest.expect(3);
      await ingest.write(bytes(text));
      await ingest.commit();
    }
    const blobs = [{ repository: apps, digest: linked, size: 3 }];
    const adopting = world.hosted.place({ blobs, manifests: [], beside: [] }, (commit) =>
      commit([], []),
    );
    await writing.opened;
    const collecting = collected(world);
    // Time for the collection to look through all links, if nothing keeps it from that.
    for (let turn = 0; turn < 200; turn += 1) await stat(folder);
    go.open();
    await adopting;
    assert.deepEqual((await collecting).freed, new Set([stray]));
    assert.equal((await read(world, apps, linked)).toString(), 'one');
  });

  test('a link that is asked about while it is being removed is either gone or stays', async (t) => {
    for (let round = 0; round < 30; round += 1) {
      const world = await open(await temporary(t), { grace: HOUR });
      const { digest } = await pushBlob(world, apps, bytes('wanted?'));
      await age(world, 2 * HOUR);
      const turns = async (count: number) => {
        for (let turn = 0; turn < count; turn += 1) await new Promise(setImmediate);
      };
      const asking = turns(round).then(() =>
        world.hosted.stat(apps, digest).then(
          () => true,
          () => false,
        ),
      );
      const [there] = await Promise.all([asking, collected(world)]);
      const link = await world.records.link(apps, digest);
      assert.equal(link !== undefined, there, `round ${round}`);
    }
  });
});

/** A generator of numbers that is the same every time. */
function dice(seed: number): (sides: number) => number {
  let state = seed;
  return (sides) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * sides);
  };
}

suite('many clients at once', () => {
  const tolerated = new Set([
    'MANIFEST_UNKNOWN',
    'BLOB_UNKNOWN',
    'NAME_UNKNOWN',
    'DENIED',
    'MANIFEST_BLOB_UNKNOWN',
  ]);

  for (const seed of [1, 2, 3]) {
    test(`push, delete, mount and collect the same content (${seed})`, async (t) => {
      const world = await openWorld(await temporary(t), { grace: GRACE, untaggedFor: 1 });
      const repositories = ['a', 'b'].map((name) => repository(`apps/${name}`));
      const pick = <T>(from: readonly T[], roll: (sides: number) => number): T => {
        const one = from[roll(from.length)];
        assert.ok(one !== undefined);
        return one;
      };
      let pushed = 0;
      const client = async (number: number): Promise<void> => {
        const roll = dice(seed * 100 + number);
        for (let turn = 0; turn < 25; turn += 1) {
          const [where, text, tag] = [pick(repositories, roll), `i${roll(3)}`, `t${roll(3)}`];
          const layer = digestOf(bytes(`layer of ${text}`));
          const { changes, mounts } = world.hosted;
          const deeds = [
            () => pushImage(world, where, text, tag).then(() => (pushed += 1)),
            () => pushImage(world, where, text, tag, `${tag}-2`).then(() => (pushed += 1)),
            () => changes.deleteTag(where, parseTag(tag)),
            async () =>
              changes.deleteManifest(
                where,
                (await world.hosted.resolve(where, parseTag(tag))).descriptor.digest,
              ),
            () => changes.deleteBlob(where, layer),
            () => mounts.mount(where, layer),
          ];
          try {
            await pick(deeds, roll)();
          } catch (error) {
            assert.ok(
              error instanceof Error && 'code' in error && tolerated.has(String(error.code)),
              error as Error,
            );
          }
        }
      };
      let busy = true;
      const collector = async (): Promise<void> => {
        while (busy) for await (const _one of world.hosted.collect('collect'));
      };
      const collecting = collector();
      try {
        await Promise.all(Array.from({ length: 12 }, (_, number) => client(number)));
      } finally {
        busy = false;
        await collecting;
      }
      assert.ok(pushed > 20, `${pushed} pushes went through`);
      assert.deepEqual(await wrong(world), []);
      assert.deepEqual(await wrong(await openWorld(world.paths.root)), []);
      for (const where of repositories) {
        // One that has been emptied is no repository any more.
        const tags = await world.hosted.tags(where).catch((error: unknown) => {
          assert.ok(code('NAME_UNKNOWN')(error), String(error));
          return { items: [] };
        });
        for (const tag of tags.items) await pullAll(world, where, tag);
      }
      assert.deepEqual(await readdir(world.paths.uploads), []);
      assert.deepEqual(await readdir(world.paths.journal), []);
    });
  }

  async function pullAll(
    world: World,
    where: ReturnType<typeof repository>,
    tag: ReturnType<typeof parseTag>,
  ) {
    const { bytes: manifest, descriptor } = await world.hosted.manifest(where, tag);
    assert.equal(digestOf(manifest), descriptor.digest);
    assert.equal(descriptor.mediaType, MEDIA_TYPES.ociManifest);
    const { layers } = JSON.parse(new TextDecoder().decode(manifest)) as {
      layers: { digest: Digest }[];
    };
    for (const { digest } of layers) {
      assert.equal(hexOf(digestOf(await read(world, where, digest))), hexOf(digest));
    }
  }
});
