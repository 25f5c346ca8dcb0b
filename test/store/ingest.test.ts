import assert from 'node:assert/strict';
import { readdir, stat, symlink, writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import fc from 'fast-check';
import { digestOf, type Digest } from '../../src/core/digest.ts';
import { RegistryError } from '../../src/core/errors.ts';
import { diskStore } from '../../src/store/disk.ts';
import { Paths } from '../../src/store/paths.ts';
import { LeftBehind, type ContentStore, type Ingest } from '../../src/store/store.ts';
import { collect, collectPoured, pattern } from '../fixtures/collect.ts';
import { temporaryFolder } from '../fixtures/temporary.ts';

const MiB = 1024 * 1024;

async function setUp() {
  const folder = await temporaryFolder();
  const paths = new Paths(folder.path);
  const errors: string[] = [];
  const store = await diskStore({ paths, onError: (operation) => errors.push(operation) });
  return { paths, store, errors, [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose]() };
}

async function writeAll(ingest: Ingest, bytes: Uint8Array, step = 64 * 1024): Promise<void> {
  for (let at = 0; at < bytes.length; at += step) await ingest.write(bytes.subarray(at, at + step));
}

async function stored(store: ContentStore, digest: Digest): Promise<Buffer | undefined> {
  await using blob = await store.open(digest);
  return blob && (await collect(blob.body));
}

function fails(code: string) {
  return (error: unknown) => error instanceof RegistryError && error.code === code;
}

test('everybody reads while it grows: early, late, in parts, slowly; each gets the right bytes', async () => {
  await using world = await setUp();
  const bytes = pattern(3 * MiB + 17);
  const digest = digestOf(bytes);
  await using ingest = await world.store.ingest(digest);
  await ingest.expect(bytes.length);
  await using early = ingest.read();
  await using part = ingest.read({ from: 100, to: 2 * MiB });
  await using end = ingest.read({ last: 10 });
  const reading = [collect(early.body), collectPoured(part), collect(end.body)];

  await writeAll(ingest, bytes.subarray(0, MiB));
  await using late = ingest.read({ from: 5 });
  await using slow = ingest.read();
  const iterator = slow.body[Symbol.asyncIterator]();
  const first = await iterator.next();
  await writeAll(ingest, bytes.subarray(MiB));
  assert.deepEqual(await ingest.commit(), { stored: true });

  assert.deepEqual(await reading[0], bytes);
  assert.deepEqual(await reading[1], bytes.subarray(100, 2 * MiB + 1));
  assert.deepEqual(await reading[2], bytes.subarray(-10));
  assert.deepEqual(await collectPoured(late), bytes.subarray(5));
  const rest = await collect({ [Symbol.asyncIterator]: () => iterator });
  assert.deepEqual(Buffer.concat([first.value, rest]), bytes);
  assert.deepEqual(await stored(world.store, digest), bytes);
  assert.equal((await stat(world.paths.blob(digest))).mode & 0o777, 0o444);
});

test('a range before the end may finish early; the last byte waits for the digest', async () => {
  await using world = await setUp();
  const bytes = pattern(200_000);
  await using ingest = await world.store.ingest(digestOf(bytes));
  await ingest.expect(bytes.length);
  await ingest.write(bytes);
  await using before = ingest.read({ from: 0, to: bytes.length - 2 });
  assert.deepEqual(await collect(before.body), bytes.subarray(0, -1));
  await using whole = ingest.read();
  let ended = false;
  const reading = collect(whole.body).finally(() => {
    ended = true;
  });
  await using last = ingest.read({ last: 1 });
  const next = last.body[Symbol.asyncIterator]().next();
  for (let turn = 0; turn < 50; turn += 1) await new Promise(setImmediate);
  assert.equal(ended, false);
  await ingest.commit();
  assert.deepEqual(await reading, bytes);
  assert.deepEqual(Buffer.from((await next).value ?? []), bytes.subarray(-1));
});

test('wrong content fails every reader, is never visible, and is gone', async () => {
  await using world = await setUp();
  const bytes = pattern(100_000);
  const digest = digestOf(bytes);
  const wrong = Buffer.from(bytes);
  wrong[99_999]! ^= 1;
  {
    await using ingest = await world.store.ingest(digest);
    await ingest.expect(bytes.length);
    await using blob = ingest.read();
    const reading = collect(blob.body);
    reading.catch(() => {});
    await ingest.write(wrong);
    await assert.rejects(ingest.commit(), fails('DIGEST_INVALID'));
    await assert.rejects(reading, fails('DIGEST_INVALID'));
  }
  assert.equal(await stored(world.store, digest), undefined);
  assert.deepEqual(await readdir(world.paths.ingests), []);
});

test('an empty blob ends only once its digest is checked', async () => {
  await using world = await setUp();
  const digest = digestOf(Buffer.from('not empty'));
  await using ingest = await world.store.ingest(digest);
  await ingest.expect(0);
  await using blob = ingest.read();
  const reading = collect(blob.body);
  reading.catch(() => {});
  await assert.rejects(ingest.commit(), fails('DIGEST_INVALID'));
  await assert.rejects(reading, fails('DIGEST_INVALID'));
});

test('too few and too many bytes are refused', async () => {
  await using world = await setUp();
  const bytes = pattern(1000);
  await using ingest = await world.store.ingest(digestOf(bytes));
  await ingest.expect(900);
  assert.throws(() => ingest.write(bytes), fails('SIZE_INVALID'));
  await using other = await world.store.ingest(digestOf(Buffer.from('other')));
  await other.expect(2000);
  await other.write(bytes);
  await assert.rejects(other.commit(), fails('SIZE_INVALID'));
});

test('given up, it stays to be gone on with; its readers fail', async () => {
  await using world = await setUp();
  const bytes = pattern(MiB);
  const digest = digestOf(bytes);
  let reading: Promise<Buffer>;
  {
    await using ingest = await world.store.ingest(digest);
    await ingest.expect(bytes.length);
    const blob = ingest.read();
    reading = collect(blob.body).finally(() => blob[Symbol.asyncDispose]());
    reading.catch(() => {});
    await writeAll(ingest, bytes.subarray(0, 300_000));
    await using all = ingest.read({ from: 0, to: 299_999 });
    await collect(all.body);
  }
  await assert.rejects(reading, fails('UPSTREAM_UNAVAILABLE'));
  assert.equal(await stored(world.store, digest), undefined);

  await using again = await world.store.ingest(digest);
  assert.equal(again.length, 300_000);
  await again.expect(bytes.length);
  await writeAll(again, bytes.subarray(again.length));
  await using blob = again.read();
  const whole = collect(blob.body);
  await again.commit();
  assert.deepEqual(await whole, bytes);
});

test('what was left is thrown away when it is too long, and caught when it is wrong', async () => {
  await using world = await setUp();
  const bytes = pattern(1000);
  const digest = digestOf(bytes);
  await writeFile(world.paths.ingest(digest), pattern(2000));
  {
    await using ingest = await world.store.ingest(digest);
    assert.equal(ingest.length, 2000);
    await ingest.expect(bytes.length);
    assert.equal(ingest.length, 0);
  }
  await writeFile(world.paths.ingest(digest), pattern(500, 2));
  {
    await using ingest = await world.store.ingest(digest);
    await ingest.expect(bytes.length);
    await ingest.write(bytes.subarray(500));
    await assert.rejects(ingest.commit(), fails('DIGEST_INVALID'));
  }
  await using ingest = await world.store.ingest(digest);
  assert.equal(ingest.length, 0);
});

test('no room: readers who keep up get everything, nothing becomes visible', async () => {
  await using world = await setUp();
  const bytes = pattern(20 * MiB);
  const digest = digestOf(bytes);
  // Every write to it fails with ENOSPC.
  await symlink('/dev/full', world.paths.ingest(digest));
  await using ingest = await world.store.ingest(digest);
  await ingest.expect(bytes.length);
  await using one = ingest.read();
  const reading = collectPoured(one);
  await writeAll(ingest, bytes);
  assert.equal(ingest.storing, false);
  assert.deepEqual(await ingest.commit(), { stored: false });
  assert.deepEqual(await reading, bytes);
  assert.ok(world.errors.includes('write'));
  assert.equal(await world.store.size(digest), undefined);
});

test('no room: one who falls behind learns where to go on, with the hash of what was before', async () => {
  await using world = await setUp();
  const bytes = pattern(24 * MiB);
  const digest = digestOf(bytes);
  await symlink('/dev/full', world.paths.ingest(digest));
  await using ingest = await world.store.ingest(digest);
  await ingest.expect(bytes.length);
  await using fast = ingest.read();
  await using slow = ingest.read();
  const reading = collect(fast.body);
  const got: Uint8Array[] = [];
  const iterator = slow.body[Symbol.asyncIterator]();
  const first = iterator.next();
  await writeAll(ingest, bytes);
  got.push((await first).value);
  await ingest.commit();
  assert.deepEqual(await reading, bytes);
  await assert.rejects(
    async () => {
      for (;;) got.push((await iterator.next()).value);
    },
    (error: unknown) => {
      assert.ok(error instanceof LeftBehind);
      const seen = Buffer.concat(got);
      assert.deepEqual(seen, bytes.subarray(0, seen.length));
      assert.ok(error.position <= seen.length);
      error.hasher.update(bytes.subarray(error.position));
      return error.hasher.digest() === digest;
    },
  );
});

test('no room, and the only reader stands still: the writer waits, memory stays bounded', async () => {
  await using world = await setUp();
  const bytes = pattern(32 * MiB);
  const digest = digestOf(bytes);
  await symlink('/dev/full', world.paths.ingest(digest));
  await using ingest = await world.store.ingest(digest);
  await ingest.expect(bytes.length);
  const blob = ingest.read();
  let written = 0;
  const writing = (async () => {
    for (; written < bytes.length; written += 64 * 1024) {
      await ingest.write(bytes.subarray(written, written + 64 * 1024));
    }
  })();
  for (let turn = 0; turn < 2000; turn += 1) await new Promise(setImmediate);
  assert.ok(written < 12 * MiB, `${written} bytes were taken`);
  await blob[Symbol.asyncDispose]();
  await writing;
});

test('whatever the chunks, body and pour give the same bytes', async () => {
  await using world = await setUp();
  let seed = 100;
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: 1, max: 300_000 }), { minLength: 1, maxLength: 8 }),
      fc.nat(500_000),
      fc.nat(500_000),
      async (sizes, from, length) => {
        seed += 1;
        const bytes = pattern(
          sizes.reduce((sum, size) => sum + size, 0),
          seed,
        );
        const start = Math.min(from, bytes.length - 1);
        const range = { from: start, to: start + length };
        await using ingest = await world.store.ingest(digestOf(bytes));
        await ingest.expect(bytes.length);
        await using one = ingest.read(range);
        await using two = ingest.read(range);
        const reading = Promise.all([collect(one.body), collectPoured(two)]);
        let at = 0;
        for (const size of sizes) {
          await ingest.write(bytes.subarray(at, at + size));
          at += size;
        }
        await ingest.commit();
        const expected = bytes.subarray(start, start + length + 1);
        assert.deepEqual(await reading, [expected, expected]);
        await using warm = await world.store.open(digestOf(bytes), { range });
        assert.ok(warm);
        assert.deepEqual(await collectPoured(warm), expected);
      },
    ),
    { numRuns: 25 },
  );
});

test('two writers of one digest do not touch each other: what one has verified stays', async () => {
  await using world = await setUp();
  const bytes = pattern(300_000);
  const digest = digestOf(bytes);
  {
    await using liar = await world.store.ingest(digest);
    await liar.expect(bytes.length);
    await liar.write(pattern(200_000, 9));
    await using honest = await world.store.ingest(digest);
    assert.equal(honest.length, 0);
    await honest.expect(bytes.length);
    await honest.write(bytes);
    assert.deepEqual(await honest.commit(), { stored: true });
    await liar.write(pattern(100_000, 9));
    await assert.rejects(liar.commit(), fails('DIGEST_INVALID'));
  }
  assert.deepEqual(await stored(world.store, digest), bytes);
  assert.deepEqual(await readdir(world.paths.ingests), []);
});
