import assert from 'node:assert/strict';
import { chmod, readFile, readdir, rename, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { suite, test } from 'node:test';
import { digestOf, type Digest } from '../../src/core/digest.ts';
import { moveAside, sameFile } from '../../src/store/aside.ts';
import { diskStore } from '../../src/store/disk.ts';
import { Paths } from '../../src/store/paths.ts';
import type { ContentStore } from '../../src/store/store.ts';
import { verify } from '../../src/store/verify.ts';
import { collect, pattern } from '../fixtures/collect.ts';
import { temporaryFolder } from '../fixtures/temporary.ts';

const right = pattern(600_000);
const digest = digestOf(right);

async function put(store: ContentStore): Promise<void> {
  await using ingest = await store.ingest(digest);
  await ingest.expect(right.length);
  await ingest.write(right);
  assert.deepEqual(await ingest.commit(), { stored: true });
}

/** A store whose one blob is damaged, of the right size. */
async function setUp() {
  const folder = await temporaryFolder();
  const paths = new Paths(folder.path);
  const told: string[] = [];
  const store = await diskStore({
    paths,
    onDamage: (_digest: Digest, reason) => told.push(`damage: ${reason}`),
    onRemoved: (_digest: Digest, size) => told.push(`removed: ${size}`),
  });
  await put(store);
  await chmod(paths.blob(digest), 0o644);
  await writeFile(paths.blob(digest), Buffer.alloc(right.length));
  return { paths, store, told, [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose]() };
}

async function assertWhole(store: ContentStore): Promise<void> {
  await using blob = await store.open(digest, { size: right.length });
  assert.ok(blob);
  assert.deepEqual(await collect(blob.body), right);
}

suite('content stored while a damaged copy of it is being looked at', () => {
  test('stays, though the copy that was read turns out to be wrong', async () => {
    await using world = await setUp();
    let stored: Promise<void> | undefined;
    const pace = (): Promise<void> => (stored ??= put(world.store));
    const verified = await Array.fromAsync(verify({ ...world, pace }));
    assert.deepEqual(verified, [{ digest, size: right.length, outcome: 'right' }]);
    await assertWhole(world.store);
    assert.deepEqual(world.told, []);
  });

  test('stays when another process has taken the damaged copy away before', async () => {
    await using world = await setUp();
    const other = await diskStore({ paths: world.paths });
    await using blob = await world.store.open(digest);
    await using same = await other.open(digest);
    assert.equal(await same?.setAside('digest'), true);
    await put(other);
    assert.equal(await blob?.setAside('digest'), false);
    await assertWhole(world.store);
    assert.equal((await readdir(world.paths.damaged)).length, 1);
  });

  test('one copy is set aside once, and told once', async () => {
    await using world = await setUp();
    await using one = await world.store.open(digest);
    await using two = await world.store.open(digest);
    const taken = await Promise.all([one?.setAside('digest'), two?.setAside('digest')]);
    assert.equal(taken.filter(Boolean).length, 1);
    assert.deepEqual(world.told, [`removed: ${right.length}`, 'damage: digest']);
    assert.equal(await world.store.open(digest), undefined);
  });
});

suite('moving a file aside', () => {
  for (const [title, blocked] of [
    ['what takes its place between the look and the move is put back', false],
    ['what takes its place is not removed where nothing can be moved', true],
  ] as const) {
    test(title, async () => {
      await using folder = await temporaryFolder();
      const [from, to] = [path.join(folder.path, 'name'), path.join(folder.path, 'aside', 'name')];
      await writeFile(from, 'wrong');
      if (blocked) await writeFile(path.dirname(to), 'not a folder');
      // Under another name the old file lives on, so that its number is not given out again.
      const old = `${from}.old`;
      let looks = 0;
      const isMeant = sameFile(await stat(from, { bigint: true }));
      const isIt = async (name: string): Promise<boolean> => {
        const found = await isMeant(name);
        looks += 1;
        if (!blocked && looks === 1) await replace(from, old);
        return found;
      };
      if (blocked) await replace(from, old);
      assert.equal(await moveAside({ from, to, isIt }), false);
      assert.equal(await readFile(from, 'utf8'), 'right');
      if (!blocked) assert.deepEqual(await readdir(path.dirname(to)), []);
    });
  }
});

async function replace(name: string, old: string): Promise<void> {
  await rename(name, old);
  await writeFile(name, 'right');
}
