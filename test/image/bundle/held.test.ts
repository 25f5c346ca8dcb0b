import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { digestOf, type Digest } from '../../../src/core/digest.ts';
import { parseTag } from '../../../src/core/reference.ts';
import { Held } from '../../../src/image/bundle/held.ts';
import { importBundle } from '../../../src/image/bundle/import.ts';
import type { Shelf } from '../../../src/image/bundle/shelf.ts';
import { failsWith } from '../archive/source-contract.ts';
import { APP, exported, filled, flipped, once, openWorld, type World } from './world.ts';

const [FIRST, SECOND, THIRD] = ['1', '2', '3'].map((text) => digestOf(Buffer.from(text))) as [
  Digest,
  Digest,
  Digest,
];

/** One on which content can no longer be put away from a certain time on. */
function stuck({ shelf }: World, after = 0): Shelf & { readonly asked: Digest[] } {
  const asked: Digest[] = [];
  return {
    ...shelf,
    asked,
    async discard(digest) {
      if (asked.push(digest) > after) throw new Error('the disk is gone');
      await shelf.discard(digest);
    },
  };
}

suite('what is held while an import goes on', () => {
  test('is let go of at the end, also when what came cannot be put away', async () => {
    await using world = await openWorld();
    const shelf = stuck(world);
    const held = new Held(shelf);
    for (const digest of [FIRST, SECOND, THIRD]) await held.hold(digest);
    held.bring(SECOND);
    held.bring(THIRD);
    assert.ok([FIRST, SECOND, THIRD].every((digest) => shelf.uses.has(digest)));
    await held[Symbol.asyncDispose]();
    assert.deepEqual(shelf.asked, [SECOND, THIRD]);
    for (const digest of [FIRST, SECOND, THIRD]) assert.ok(!shelf.uses.has(digest));
  });

  test('is put away where it was not settled, and nothing else', async () => {
    await using world = await openWorld();
    const shelf = stuck(world, Infinity);
    {
      await using held = new Held(shelf);
      for (const digest of [FIRST, SECOND, THIRD]) await held.hold(digest);
      held.bring(SECOND);
      held.bring(THIRD);
      assert.deepEqual([held.settle(FIRST), held.settle(SECOND)], [false, true]);
    }
    assert.deepEqual(shelf.asked, [THIRD]);
    for (const digest of [FIRST, SECOND, THIRD]) assert.ok(!shelf.uses.has(digest));
  });
});

for (const after of [0, 3]) {
  test(`an import that fails and of which ${after} can be put away says why, keeps nothing in use, and the next one works`, async () => {
    await using here = await openWorld();
    await filled(here);
    const { bytes, lock } = await exported(here, ['docker.io/**']);
    await using there = await openWorld();
    const shelf = stuck(there, after);
    const damaged = flipped(bytes, bytes.indexOf('signed '));
    await assert.rejects(
      importBundle(once(damaged), { shelf, name: 'bundle.tar', tags: 'keep' }),
      failsWith('DIGEST_INVALID', /bundle\.tar is damaged/),
    );
    assert.ok(shelf.asked.length > after);
    for (const { digest } of lock.content) assert.ok(!shelf.uses.has(digest), digest);
    assert.equal(await there.store.tags.get(APP, parseTag('latest')), undefined);
    const { images } = await there.import(bytes);
    assert.equal(images[0]?.outcome, 'new');
  });
}
