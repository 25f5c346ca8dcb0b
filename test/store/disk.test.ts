import assert from 'node:assert/strict';
import { appendFile, chmod, readdir, stat, truncate, writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { digestOf } from '../../src/core/digest.ts';
import { RegistryError } from '../../src/core/errors.ts';
import { Uses } from '../../src/store/budget/uses.ts';
import { Buffers } from '../../src/store/buffers.ts';
import { diskStore } from '../../src/store/disk.ts';
import { Paths } from '../../src/store/paths.ts';
import type { ContentStore } from '../../src/store/store.ts';
import { verify } from '../../src/store/verify.ts';
import { collect, collectPoured, pattern } from '../fixtures/collect.ts';
import { gate } from '../fixtures/gate.ts';
import { temporaryFolder } from '../fixtures/temporary.ts';

async function setUp() {
  const folder = await temporaryFolder();
  const paths = new Paths(folder.path);
  const damage: string[] = [];
  const store = await diskStore({
    paths,
    onDamage: (digest, reason) => damage.push(`${digest} ${reason}`),
  });
  return { paths, store, damage, [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose]() };
}

async function put(store: ContentStore, bytes: Uint8Array) {
  const digest = digestOf(bytes);
  await using ingest = await store.ingest(digest);
  await ingest.expect(bytes.length);
  await ingest.write(bytes);
  await ingest.commit();
  return digest;
}

test('absence is an answer', async () => {
  await using world = await setUp();
  const digest = digestOf(Buffer.from('absent'));
  assert.equal(await world.store.open(digest), undefined);
  assert.equal(await world.store.size(digest), undefined);
  await world.store.remove(digest);
  assert.deepEqual(world.damage, []);
});

test('ranges, by body and by pour', async () => {
  await using world = await setUp();
  const bytes = pattern(2_000_000);
  const digest = await put(world.store, bytes);
  for (const [range, expected] of [
    [undefined, bytes],
    [{ from: 1_999_999 }, bytes.subarray(-1)],
    [{ from: 0, to: 0 }, bytes.subarray(0, 1)],
    [{ from: 700_000, to: 9_999_999 }, bytes.subarray(700_000)],
    [{ last: 600_000 }, bytes.subarray(-600_000)],
    [{ last: 9_000_000 }, bytes],
  ] as const) {
    await using one = await world.store.open(digest, { range });
    await using two = await world.store.open(digest, { range });
    assert.ok(one && two);
    assert.equal(one.size, bytes.length);
    assert.deepEqual(await collect(one.body), expected);
    assert.deepEqual(await collectPoured(two), expected);
  }
  for (const range of [{ from: 2_000_000 }, { last: 0 }, { from: 5, to: 4 }]) {
    await assert.rejects(
      world.store.open(digest, { range }),
      (error: unknown) => error instanceof RegistryError && error.code === 'RANGE_INVALID',
    );
  }
});

test('content of the wrong size is noticed when it is opened, and set aside', async () => {
  await using world = await setUp();
  for (const damage of [
    (name: string) => truncate(name, 10),
    (name: string) => appendFile(name, 'more'),
  ]) {
    const bytes = pattern(1000);
    const digest = await put(world.store, bytes);
    await chmod(world.paths.blob(digest), 0o644);
    await damage(world.paths.blob(digest));
    assert.equal(await world.store.open(digest, { size: 1000 }), undefined);
    assert.equal(await world.store.size(digest), undefined);
    assert.equal(world.damage.pop(), `${digest} size`);
  }
  assert.equal((await readdir(world.paths.damaged)).length, 2);
});

test('verification sets a flipped byte aside and leaves what is right', async () => {
  await using world = await setUp();
  const good = await put(world.store, pattern(600_000, 1));
  const bytes = pattern(600_000, 2);
  const bad = await put(world.store, bytes);
  bytes[300_000]! ^= 1;
  await chmod(world.paths.blob(bad), 0o644);
  await writeFile(world.paths.blob(bad), bytes);
  let paced = 0;
  const outcomes = new Map<string, string>();
  const pace = async (count: number) => {
    paced += count;
  };
  for await (const { digest, outcome } of verify({ ...world, pace })) outcomes.set(digest, outcome);
  assert.deepEqual(Object.fromEntries(outcomes), { [good]: 'right', [bad]: 'damaged' });
  assert.equal(paced, 1_200_000);
  assert.equal(await world.store.open(bad), undefined);
  assert.ok(await world.store.size(good));
});

test('large buffers come from a bounded pool, and come back', () => {
  const buffers = new Buffers(1024 * 1024);
  const [one, two, three] = [buffers.lend(1e9), buffers.lend(1e9), buffers.lend(1e9)];
  assert.equal(one.bytes.length, 512 * 1024);
  assert.equal(two.bytes.length, 512 * 1024);
  assert.equal(three.bytes.length, 64 * 1024);
  one[Symbol.dispose]();
  one[Symbol.dispose]();
  assert.equal(buffers.lend(1e9).bytes, one.bytes);
  assert.equal(buffers.lend(1e9).bytes.length, 64 * 1024);
  assert.equal(buffers.lend(100).bytes.length, 100);
});

test('content that is being removed is not said to be here', async () => {
  await using folder = await temporaryFolder();
  const uses = new Uses();
  const store = await diskStore({ paths: new Paths(folder.path), uses });
  const digest = await put(store, Buffer.from('on its way out'));
  const go = gate();
  const removing = uses.remove(digest, async () => {
    await go.opened;
    await store.remove(digest);
  });
  const size = store.size(digest);
  // Time for an answer that waits for nobody.
  for (let turn = 0; turn < 50; turn += 1) await stat(folder.path);
  go.open();
  assert.equal(await size, undefined);
  await removing;
});
