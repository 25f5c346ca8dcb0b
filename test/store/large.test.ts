import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readdir, writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { digestOf } from '../../src/core/digest.ts';
import { RegistryError } from '../../src/core/errors.ts';
import type { Room } from '../../src/store/budget/room.ts';
import { diskStore } from '../../src/store/disk.ts';
import { Paths } from '../../src/store/paths.ts';
import { LeftBehind, type Ingest } from '../../src/store/store.ts';
import { collect, collectPoured } from '../fixtures/collect.ts';
import { temporaryFolder } from '../fixtures/temporary.ts';

const MiB = 1024 * 1024;
/** Hashed on a thread of its own. */
const BYTES = randomBytes(24 * MiB + 13);
const DIGEST = digestOf(BYTES);
const WRONG = Buffer.from(BYTES);
WRONG[5 * MiB] = ~(WRONG[5 * MiB] ?? 0);

async function setUp() {
  const folder = await temporaryFolder();
  const paths = new Paths(folder.path);
  const store = await diskStore({ paths });
  return { paths, store, [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose]() };
}

async function writeAll(ingest: Ingest, bytes: Uint8Array): Promise<void> {
  const step = 100_000;
  for (let at = 0; at < bytes.length; at += step) await ingest.write(bytes.subarray(at, at + step));
}

/** A disk that has room for so many bytes. */
function roomFor(bytes: number): Room {
  let left = bytes;
  const wrote = (length: number): void => {
    left -= length;
    if (left < 0) throw Object.assign(new Error('no space left'), { code: 'ENOSPC' });
  };
  return { claim: async () => ({ wrote, appearing() {}, end() {} }) };
}

function invalid(error: unknown): boolean {
  return error instanceof RegistryError && error.code === 'DIGEST_INVALID';
}

test('what is large is read while it grows, and verified', async () => {
  await using world = await setUp();
  await using ingest = await world.store.ingest(DIGEST);
  await ingest.expect(BYTES.length);
  await using one = ingest.read();
  await using two = ingest.read({ from: 3 * MiB });
  const reading = Promise.all([collect(one.body), collectPoured(two)]);
  await writeAll(ingest, BYTES);
  assert.deepEqual(await ingest.commit(), { stored: true });
  const [whole, rest] = await reading;
  assert.ok(whole.equals(BYTES));
  assert.ok(rest.equals(BYTES.subarray(3 * MiB)));
});

test('what is large and wrong fails its readers before the last byte, and is gone', async () => {
  await using world = await setUp();
  {
    await using ingest = await world.store.ingest(DIGEST);
    await ingest.expect(BYTES.length);
    await using blob = ingest.read();
    let got = 0;
    const reading = (async () => {
      for await (const chunk of blob.body) got += chunk.length;
    })();
    reading.catch(() => {});
    await writeAll(ingest, WRONG);
    await assert.rejects(ingest.commit(), invalid);
    await assert.rejects(reading, invalid);
    assert.ok(got < BYTES.length);
  }
  assert.deepEqual(await readdir(world.paths.ingests), []);
});

for (const [what, left] of [
  ['right', BYTES],
  ['wrong', WRONG],
] as const) {
  test(`what an earlier attempt left of it is hashed as well: ${what}`, async () => {
    await using world = await setUp();
    await writeFile(world.paths.ingest(DIGEST), left.subarray(0, 17 * MiB));
    await using ingest = await world.store.ingest(DIGEST);
    assert.equal(ingest.length, 17 * MiB);
    await ingest.expect(BYTES.length);
    await writeAll(ingest, BYTES.subarray(17 * MiB));
    if (what === 'right') assert.deepEqual(await ingest.commit(), { stored: true });
    else await assert.rejects(ingest.commit(), invalid);
  });
}

for (const kept of [0, 1, 11 * MiB]) {
  test(`the disk is full after ${kept} bytes: who keeps up has all, who does not can go on`, async () => {
    await using world = await setUp();
    await using ingest = await world.store.ingestApart(DIGEST, roomFor(kept));
    await ingest.expect(BYTES.length);
    await using fast = ingest.read();
    await using slow = ingest.read();
    const reading = collect(fast.body);
    const got: Uint8Array[] = [];
    const iterator = slow.body[Symbol.asyncIterator]();
    await writeAll(ingest, BYTES);
    assert.equal(ingest.storing, false);
    assert.deepEqual(await ingest.commit(), { stored: false });
    assert.ok((await reading).equals(BYTES));
    await assert.rejects(
      async () => {
        for (;;) got.push((await iterator.next()).value);
      },
      (error: unknown) => {
        assert.ok(error instanceof LeftBehind);
        const seen = Buffer.concat(got);
        assert.ok(seen.equals(BYTES.subarray(0, seen.length)));
        error.hasher.update(BYTES.subarray(error.position));
        return error.hasher.digest() === DIGEST;
      },
    );
  });

  test(`the disk is full after ${kept} bytes: what is wrong is not believed`, async () => {
    await using world = await setUp();
    await using ingest = await world.store.ingestApart(DIGEST, roomFor(kept));
    await ingest.expect(BYTES.length);
    await using blob = ingest.read();
    const reading = collect(blob.body);
    reading.catch(() => {});
    await writeAll(ingest, WRONG);
    await assert.rejects(ingest.commit(), invalid);
    await assert.rejects(reading, invalid);
  });
}

test('given up while it is hashed, its readers fail with the reason and nothing is stored', async () => {
  await using world = await setUp();
  const reason = new RegistryError('UPSTREAM_UNAVAILABLE', 'enough');
  await using ingest = await world.store.ingest(DIGEST);
  await ingest.expect(BYTES.length);
  await using blob = ingest.read();
  const reading = collect(blob.body);
  reading.catch(() => {});
  await writeAll(ingest, BYTES);
  while (ingest.length < BYTES.length) await new Promise(setImmediate);
  const committing = ingest.commit();
  // It has asked for the digest by now, and the answer of another thread needs a turn of the event loop.
  for (let turn = 0; turn < 100; turn += 1) await Promise.resolve();
  ingest.fail(reason);
  await assert.rejects(committing, reason);
  await assert.rejects(reading, reason);
  assert.equal(await world.store.size(DIGEST), undefined);
});
