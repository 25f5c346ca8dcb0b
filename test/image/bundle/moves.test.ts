import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { Descriptor } from '../../../src/core/descriptor.ts';
import { HOSTED, isHosted } from '../../../src/core/hosted.ts';
import { parseTag } from '../../../src/core/reference.ts';
import type { Imported } from '../../../src/image/bundle/import.ts';
import type { TagMoves } from '../../../src/image/bundle/query.ts';
import type { Shelf } from '../../../src/image/bundle/shelf.ts';
import { diskTags } from '../../../src/store/tags.ts';
import type { BuiltImage } from '../../fixtures/image-builder.ts';
import { failsWith } from '../archive/source-contract.ts';
import { archiveFor, come, CONFIG, nameOf, recordOf, repository, V1 } from './coming.ts';
import { APP, committing, exported, filled, openWorld, seen, type World } from './world.ts';

/** Two repositories of a kind, and what an archive has for each; the second's tag is the one that moves. */
const KINDS = {
  mirrored: ['app', 'base'].map((name) => repository('docker.io', `library/${name}`)),
  hosted: ['app', 'base'].map((name) => repository(HOSTED, `team/${name}`)),
  'of both kinds': [repository('docker.io', 'library/app'), repository(HOSTED, 'team/base')],
  'of both kinds, the other way round': [
    repository(HOSTED, 'team/app'),
    repository('docker.io', 'library/base'),
  ],
} as const;

/** The world's shelf; the task runs once, when the import has seen that it may go on and nothing is visible yet. */
function seenThrough({ shelf }: World, task: () => Promise<void>): Shelf {
  let asked = false;
  let done: Promise<void> | undefined;
  const { content, hosted } = shelf;
  const gated = new Proxy(content, {
    get(target, key) {
      const value: unknown = Reflect.get(target, key, target);
      if (key !== 'size') return typeof value === 'function' ? value.bind(target) : value;
      return async (digest: Descriptor['digest']) => {
        if (asked) await (done ??= task());
        return content.size(digest);
      };
    },
  });
  const sparse = (): ReturnType<typeof hosted.sparse> => {
    asked = true;
    return hosted.sparse();
  };
  return { ...shelf, content: gated, hosted: { ...hosted, sparse } };
}

/** What became of the tags, in the order of the images. */
function outcomes({ images: imported }: Imported, images: readonly BuiltImage[]) {
  return images.map(
    (image) => imported.find(({ name }) => name === nameOf(image))?.outcome ?? 'not imported',
  );
}

for (const [kind, repositories] of Object.entries(KINDS)) {
  suite(`a tag that comes while an import is about to place its images (${kind})`, () => {
    /** Imports while the second tag comes, to mean something else; with what was to be seen then. */
    async function meanwhile(there: World, tags: TagMoves, earlier: 'none' | 'same') {
      const { bytes, images, others } = await archiveFor(repositories);
      const [first, second] = images as [BuiltImage, BuiltImage];
      const other = others[1] as BuiltImage;
      if (earlier === 'same') await come(there, second);
      let visible: readonly string[] = [];
      const shelf = seenThrough(there, async () => {
        await come(there, other);
        // What the archive brought is stored by now, and led to by nothing.
        visible = (await seen(there.folder)).filter((name) => !/^(?:blobs|index)/.test(name));
      });
      const importing = there.import(bytes, { shelf, tags });
      return { importing, first, second, other, bytes, visible: () => visible };
    }

    for (const earlier of ['none', 'same'] as const) {
      test(`has to be kept: nothing is imported (before: ${earlier})`, async () => {
        await using there = await openWorld({ config: CONFIG });
        const one = await meanwhile(there, 'keep', earlier);
        const { importing, first, second, other } = one;
        const [was, is] = [other, second].map(({ manifest }) => manifest.descriptor.digest);
        await assert.rejects(
          importing,
          failsWith(
            'DENIED',
            new RegExp(
              `^nothing of bundle\\.tar was imported: .*--overwrite.*\\n  ${nameOf(second)} means ${was}, there ${is}$`,
            ),
          ),
        );
        const visible = (await seen(there.folder)).filter((name) => !/^(?:blobs|index)/.test(name));
        assert.deepEqual(visible, one.visible());
        for (const { digest } of [first.config, ...first.layers, first.manifest.descriptor]) {
          assert.equal(await there.store.content.size(digest), undefined, 'it is gone again');
          assert.equal(there.store.housekeeping.keeper.why(digest), undefined);
        }
        assert.equal((await recordOf(there, other.repository))?.descriptor.digest, was);
        assert.equal(await recordOf(there, first.repository), undefined);
      });
    }

    test('is to be spared: it stays as it is, and that is told', async () => {
      await using there = await openWorld({ config: CONFIG });
      const { importing, first, second, other } = await meanwhile(there, 'spare', 'none');
      const imported = await importing;
      assert.deepEqual(outcomes(imported, [first, second]), ['new', 'stays']);
      const record = await recordOf(there, second.repository);
      assert.equal(record?.descriptor.digest, other.manifest.descriptor.digest);
      assert.deepEqual(record.history, []);
      const came = await recordOf(there, first.repository);
      assert.equal(came?.descriptor.digest, first.manifest.descriptor.digest);
      // Whoever asks by digest gets what was imported.
      const { digest, size } = second.manifest.descriptor;
      const link = isHosted(second.repository)
        ? await there.store.records.link(second.repository, digest)
        : await there.store.links.get(second.repository, digest);
      assert.equal(link?.size, size);
    });

    test('may be overwritten: it moves, which is told, and what it meant is in its history', async () => {
      await using there = await openWorld({ config: CONFIG });
      const { importing, first, second, other } = await meanwhile(there, 'overwrite', 'none');
      const imported = await importing;
      assert.deepEqual(outcomes(imported, [first, second]), ['new', 'moved']);
      const record = await recordOf(there, second.repository);
      assert.equal(record?.descriptor.digest, second.manifest.descriptor.digest);
      assert.deepEqual(
        record.history.map(({ digest }) => digest),
        [other.manifest.descriptor.digest],
      );
    });

    for (const tags of ['keep', 'spare', 'overwrite'] as const) {
      test(`comes to mean the same: that is told (${tags})`, async () => {
        await using there = await openWorld({ config: CONFIG });
        const { bytes, images } = await archiveFor(repositories);
        const [, second] = images as [BuiltImage, BuiltImage];
        const shelf = seenThrough(there, () => come(there, second));
        const imported = await there.import(bytes, { shelf, tags });
        assert.deepEqual(outcomes(imported, images), ['new', 'same']);
      });
    }

    test('goes: it is new, whatever it meant', async () => {
      await using there = await openWorld({ config: CONFIG });
      const { bytes, images, others } = await archiveFor(repositories);
      const [first, second] = others as [BuiltImage, BuiltImage];
      await come(there, second);
      const shelf = seenThrough(there, () =>
        isHosted(second.repository)
          ? there.hosted.changes.deleteTag(second.repository, V1)
          : there.store.tags.remove(second.repository, V1),
      );
      const imported = await there.import(bytes, { shelf, tags: 'spare' });
      assert.deepEqual(outcomes(imported, images), ['new', 'new']);
      const record = await recordOf(there, first.repository);
      assert.equal(record?.descriptor.digest, images[0]?.manifest.descriptor.digest);
    });

    for (const tags of ['keep', 'spare', 'overwrite'] as const) {
      test(`comes when they are being placed: it comes after them (${tags})`, async () => {
        await using there = await openWorld({ config: CONFIG });
        const { bytes, images, others } = await archiveFor(repositories);
        const other = others[1] as BuiltImage;
        let coming: Promise<void> = Promise.resolve();
        const order: string[] = [];
        // The last that happens before all of it changes.
        const shelf = committing(there, async (commit) => {
          coming = come(there, other).then(() => void order.push('the other'));
          await commit();
          order.push('the import');
        });
        const imported = await there.import(bytes, { shelf, tags });
        await coming;
        assert.deepEqual(order, ['the import', 'the other']);
        assert.deepEqual(outcomes(imported, images), ['new', 'new']);
        const record = await recordOf(there, other.repository);
        assert.equal(record?.descriptor.digest, other.manifest.descriptor.digest);
        // Memory and disk say the same.
        const written = await diskTags(there.store.paths).get(other.repository, V1);
        assert.deepEqual(written, record);
      });
    }
  });
}

suite('what an earlier import keeps', () => {
  for (const mode of ['online', 'offline'] as const) {
    test(`stays kept when a later one of the same image fails (${mode})`, async () => {
      await using here = await openWorld();
      const { parts, index } = await filled(here);
      const alone = await exported(here, ['docker.io/**'], { referrers: 'none' });
      const signed = await exported(here, ['docker.io/**']);
      await using there = await openWorld({ config: `offline: ${mode === 'offline'}` });
      await there.import(alone.bytes);
      const reason = new Error('the disk says no');
      const shelf = committing(there, async () => {
        throw reason;
      });
      await assert.rejects(there.import(signed.bytes, { shelf }), reason);
      const { keeper, evictor } = there.store.housekeeping;
      assert.equal(keeper.why(index.descriptor.digest)?.reason, 'imported');
      // Nothing else keeps it, so that a sweep shows what does.
      await there.store.tags.remove(APP, parseTag('latest'));
      await evictor.sweep({ reason: 'request', excess: () => Infinity });
      for (const { digest, size } of [parts.index, ...parts.first, ...parts.second]) {
        assert.equal(await there.store.content.size(digest), size);
      }
      // What came with the second one alone is kept by nothing.
      for (const { digest } of parts.signature) assert.equal(keeper.why(digest), undefined);
    });
  }

  test('stays kept when two import the same under two tags, and one of them fails', async () => {
    await using here = await openWorld();
    const { parts, index } = await filled(here);
    const { bytes } = await exported(here, ['docker.io/**']);
    await using there = await openWorld();
    const reason = new Error('the disk says no');
    const order: string[] = [];
    let other: Promise<unknown> = Promise.resolve();
    const shelf = committing(there, async () => {
      // It finds no mark, and writes its own as soon as it may.
      const at = { repository: APP, at: V1 };
      other = there.import(bytes, { as: at }).then(() => order.push('one'));
      // One of another repository waits for nobody, and takes as long.
      const elsewhere = { repository: repository('docker.io', 'library/else'), at: V1 };
      await there.import(bytes, { as: elsewhere });
      order.push('elsewhere');
      throw reason;
    });
    await assert.rejects(
      there.import(bytes, { shelf }).finally(() => order.push('failed')),
      reason,
    );
    await other;
    assert.deepEqual(order, ['elsewhere', 'failed', 'one']);
    await there.store.tags.remove(APP, V1);
    const { keeper, evictor } = there.store.housekeeping;
    assert.equal(keeper.why(index.descriptor.digest)?.reason, 'imported');
    await evictor.sweep({ reason: 'request', excess: () => Infinity });
    for (const { digest, size } of Object.values(parts).flat()) {
      assert.equal(await there.store.content.size(digest), size);
    }
  });
});
