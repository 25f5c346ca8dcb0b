import assert from 'node:assert/strict';
import { chmod, mkdir, readdir, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import type { Digest } from '../../src/core/digest.ts';
import { RegistryError } from '../../src/core/errors.ts';
import type { Range } from '../../src/core/range.ts';
import { collect, collectPoured } from '../fixtures/collect.ts';
import { gate } from '../fixtures/gate.ts';
import { world, type World } from '../fixtures/mirror-world.ts';
import { startRegistry } from '../fixtures/registry.ts';
import { generatedBytes } from '../fixtures/registry-content.ts';

const MiB = 1024 * 1024;
const repository = { host: 'docker.io', path: 'library/x' };
const BLOBS = { method: 'GET', path: /\/blobs\// };

function large(place: World, size = 20 * MiB, seed = 7) {
  return {
    digest: place.registry.addBlob({ size, seed }, repository.path),
    bytes: Buffer.from(generatedBytes({ size, seed })),
  };
}

async function read(place: World, digest: Digest, range?: Range): Promise<Buffer> {
  await using blob = await place.mirror.blob(repository, digest, range);
  return await collect(blob.body);
}

function fails(code: string) {
  return (error: unknown) => error instanceof RegistryError && error.code === code;
}

test('many clients miss one blob at once: one upstream request, the right bytes for all', async () => {
  await using place = await world();
  const { digest, bytes } = large(place);
  const blobs = await Promise.all(
    Array.from({ length: 20 }, () => place.mirror.blob(repository, digest)),
  );
  const results = blobs.map((blob) => String(blob.served?.result)).toSorted();
  assert.deepEqual(results, [...Array.from({ length: 19 }, () => 'joined'), 'miss']);
  await Promise.all(
    blobs.map(async (blob, index) => {
      const got = index % 2 === 0 ? await collect(blob.body) : await collectPoured(blob);
      assert.ok(got.equals(bytes));
      await blob[Symbol.asyncDispose]();
    }),
  );
  assert.equal(place.registry.count(BLOBS), 1);
  assert.equal(place.events.filter(({ type }) => type === 'download-joined').length, 19);
  const readers = place.events.flatMap((event) =>
    event.type === 'download-readers' ? [event.change] : [],
  );
  assert.equal(readers.filter((change) => change === 1).length, 20);
  assert.equal(
    readers.reduce<number>((sum, change) => sum + change, 0),
    0,
  );
  await place.told('download-ended');
  await using warm = await place.mirror.blob(repository, digest);
  assert.equal(warm.served?.result, 'hit');
  assert.ok((await collectPoured(warm)).equals(bytes));
  assert.equal(place.registry.count(BLOBS), 1);
});

test('requests in a storm around the end of a download never start another', async () => {
  await using place = await world();
  for (let seed = 1; seed <= 10; seed += 1) {
    const { digest, bytes } = large(place, 100_000, seed);
    let busy = true;
    const clients = Array.from({ length: 8 }, async () => {
      while (busy) assert.ok((await read(place, digest)).equals(bytes));
    });
    await place.told('download-ended', seed);
    busy = false;
    await Promise.all(clients);
    assert.equal(place.registry.count({ method: 'GET', path: new RegExp(digest) }), 1);
  }
});

test('the first byte does not wait for the last: everybody streams while it comes', async () => {
  await using place = await world();
  const { digest, bytes } = large(place);
  const hold = gate();
  place.registry.misbehave(BLOBS, { kind: 'hold-body', at: MiB, gate: hold });
  await using early = await place.mirror.blob(repository, digest);
  const iterator = early.body[Symbol.asyncIterator]();
  assert.ok((await iterator.next()).value?.length);
  await using late = await place.mirror.blob(repository, digest, { from: 10, to: 1000 });
  assert.deepEqual(await collect(late.body), bytes.subarray(10, 1001));
  hold.open();
  for (let next = await iterator.next(); next.done !== true; next = await iterator.next()) continue;
});

test('clients that leave or stand still change nothing for the others', async () => {
  await using place = await world();
  const { digest, bytes } = large(place);
  const hold = gate();
  place.registry.misbehave(BLOBS, { kind: 'hold-body', at: 2 * MiB, gate: hold });
  const first = await place.mirror.blob(repository, digest);
  const leaving = first.body[Symbol.asyncIterator]();
  await leaving.next();
  await using still = await place.mirror.blob(repository, digest);
  await still.body[Symbol.asyncIterator]().next();
  const reading = read(place, digest);
  await leaving.return?.();
  await first[Symbol.asyncDispose]();
  hold.open();
  assert.ok((await reading).equals(bytes));
  assert.equal(place.registry.count(BLOBS), 1);
});

test('open ranges on a cold blob whose clients close early: one upstream request', async () => {
  await using place = await world();
  const { digest, bytes } = large(place);
  await Promise.all(
    Array.from({ length: 20 }, async (_, part) => {
      const from = part * MiB;
      const blob = await place.mirror.blob(repository, digest, { from });
      const got: Buffer[] = [];
      let length = 0;
      for await (const chunk of blob.body) {
        got.push(Buffer.from(chunk));
        length += chunk.length;
        if (length >= MiB) break;
      }
      await blob[Symbol.asyncDispose]();
      assert.ok(
        Buffer.concat(got)
          .subarray(0, MiB)
          .equals(bytes.subarray(from, from + MiB)),
      );
    }),
  );
  await place.told('download-ended');
  assert.equal(place.registry.count(BLOBS), 1);
  assert.ok((await read(place, digest)).equals(bytes));
});

test('a closed range far ahead does not wait for the fill; one that is near does', async () => {
  await using place = await world();
  const { digest, bytes } = large(place);
  const hold = gate();
  place.registry.misbehave({ ...BLOBS, times: 1 }, { kind: 'hold-body', at: MiB, gate: hold });
  await using blob = await place.mirror.blob(repository, digest);
  const reading = collect(blob.body);
  reading.catch(() => {});
  await using far = await place.mirror.blob(repository, digest, {
    from: 15 * MiB,
    to: 15 * MiB + 9,
  });
  assert.equal(far.served?.result, 'bypass');
  assert.deepEqual(await collect(far.body), bytes.subarray(15 * MiB, 15 * MiB + 10));
  assert.equal(place.registry.count(BLOBS), 2);
  const near = read(place, digest, { from: 2 * MiB, to: 2 * MiB + 9 });
  hold.open();
  assert.deepEqual(await near, bytes.subarray(2 * MiB, 2 * MiB + 10));
  assert.ok((await reading).equals(bytes));
  assert.equal(place.registry.count(BLOBS), 2);
});

test('cut again and again: resumed where it broke, all clients complete', async () => {
  await using place = await world();
  const { digest, bytes } = large(place, 3 * MiB);
  place.registry.misbehave({ ...BLOBS, times: 2 }, { kind: 'cut', at: MiB });
  const all = await Promise.all([read(place, digest), read(place, digest, { from: 5 })]);
  assert.ok(all[0].equals(bytes));
  assert.ok(all[1].equals(bytes.subarray(5)));
  const ranges = place.registry.matching(BLOBS).map(({ headers }) => headers['range']);
  assert.equal(ranges.length, 3);
  assert.equal(ranges[0], undefined);
  assert.match(String(ranges[1]), /^bytes=\d+-$/);
  assert.ok(place.registry.bytesSent(BLOBS) < bytes.length + 2 * MiB);
});

test('resumed also where the upstream answers 200 to a range', async () => {
  await using place = await world();
  const { digest, bytes } = large(place, 3 * MiB);
  place.registry.misbehave({ ...BLOBS, times: 1 }, { kind: 'cut', at: MiB });
  place.registry.misbehave(BLOBS, { kind: 'ignore-range' });
  assert.ok((await read(place, digest)).equals(bytes));
});

test('cut for good: the answer is cut, the part is kept and gone on with later', async () => {
  await using place = await world({ retries: 0 });
  const { digest, bytes } = large(place, 3 * MiB);
  place.registry.misbehave({ ...BLOBS, times: 1 }, { kind: 'cut', at: MiB });
  await assert.rejects(read(place, digest), fails('UPSTREAM_UNAVAILABLE'));
  await place.told('download-ended');
  assert.equal(await place.store.size(digest), undefined);
  await place.restart();
  assert.ok((await read(place, digest)).equals(bytes));
  assert.match(
    String(place.registry.matching(BLOBS).at(-1)?.headers['range']),
    /^bytes=[1-9]\d*-$/,
  );
});

test('wrong bytes are never served to a clean end, nor kept', async () => {
  await using place = await world();
  const { digest, bytes } = large(place, MiB);
  const hold = gate();
  place.registry.misbehave({ ...BLOBS, times: 1 }, { kind: 'flip', at: 5000 });
  const undo = place.registry.misbehave(BLOBS, { kind: 'hold-body', at: MiB / 2, gate: hold });
  const first = read(place, digest);
  first.catch(() => {});
  await place.registry.seen(BLOBS);
  const others = [read(place, digest, { from: 100 }), read(place, digest, { last: 1 })];
  others.forEach((other) => other.catch(() => {}));
  await place.told('download-joined', 2);
  hold.open();
  const both = await Promise.allSettled([first, ...others]);
  undo();
  assert.deepEqual(
    both.map(({ status }) => status),
    ['rejected', 'rejected', 'rejected'],
  );
  await place.told('download-ended');
  assert.equal(await place.store.size(digest), undefined);
  assert.deepEqual(await readdir(place.paths.ingests), []);
  assert.ok(
    place.events.some((event) => event.type === 'download-ended' && event.result === 'mismatch'),
  );
  assert.ok((await read(place, digest)).equals(bytes));
});

test('what a mirror began, and the upstream calls another size, is not gone on from', async () => {
  await using lying = await startRegistry();
  await using place = await world({ upstream: { mirrors: [lying.url] } });
  const { digest, bytes } = large(place, 300_000);
  const other = lying.addBlob({ size: 400_000, seed: 8 });
  const to = `/v2/library/x/blobs/${other}`;
  lying.misbehave({ path: new RegExp(digest) }, { kind: 'redirect', to });
  lying.misbehave({ path: new RegExp(other) }, { kind: 'cut', at: 50_000 });
  await assert.rejects(read(place, digest), fails('UPSTREAM_INVALID'));
  await place.told('download-ended');
  assert.deepEqual(await readdir(place.paths.ingests), []);
  assert.ok((await read(place, digest)).equals(bytes));
  assert.equal(lying.count({ path: new RegExp(digest) }), 1);
});

test('whoever comes while what was wrong is put away is not failed by it', async () => {
  const hold = gate();
  const put = Promise.withResolvers<void>();
  await using place = await world({
    ingest: (ingest) => {
      const dispose = ingest[Symbol.asyncDispose].bind(ingest);
      ingest[Symbol.asyncDispose] = async () => {
        put.resolve();
        await hold.opened;
        await dispose();
      };
      return ingest;
    },
  });
  const { digest, bytes } = large(place, MiB);
  place.registry.misbehave({ ...BLOBS, times: 1 }, { kind: 'flip', at: 5000 });
  await assert.rejects(read(place, digest));
  await put.promise;
  const second = read(place, digest);
  let failed = false;
  second.catch(() => (failed = true));
  // Every look into the store that it takes has had its turn.
  for (let turn = 0; turn < 50; turn += 1) await readdir(place.paths.root);
  const early = failed;
  hold.open();
  assert.equal(early, false, 'it has joined a download that had failed already');
  assert.ok((await second).equals(bytes));
});

test('a download without readers is abandoned after a while, and stays resumable', async () => {
  await using place = await world({ abandonAfter: 1 });
  const { digest, bytes } = large(place);
  const undo = place.registry.misbehave(BLOBS, { kind: 'hold-body', at: MiB, gate: gate() });
  const blob = await place.mirror.blob(repository, digest);
  await blob.body[Symbol.asyncIterator]().next();
  await blob[Symbol.asyncDispose]();
  await place.told('download-ended');
  const ended = place.events.findLast((event) => event.type === 'download-ended');
  assert.equal(ended?.result, 'abandoned');
  undo();
  assert.ok((await read(place, digest)).equals(bytes));
  assert.match(String(place.registry.matching(BLOBS).at(-1)?.headers['range']), /^bytes=[1-9]/);
});

test('no room: fast and slow clients get their bytes, nothing is visible; later it is stored', async () => {
  await using place = await world();
  const { digest, bytes } = large(place, 30 * MiB);
  await symlink('/dev/full', place.paths.ingest(digest));
  const slow = await place.mirror.blob(repository, digest);
  const iterator = slow.body[Symbol.asyncIterator]();
  const start = (await iterator.next()).value!;
  const crawling = await place.mirror.blob(repository, digest, { from: 3 });
  const poured: Buffer[] = [];
  const pouring = crawling.pour?.(async (chunk) => {
    poured.push(Buffer.from(chunk));
    for (let turn = 0; turn < 200; turn += 1) await new Promise(setImmediate);
  });
  assert.ok((await read(place, digest)).equals(bytes));
  const rest = await collect({ [Symbol.asyncIterator]: () => iterator });
  assert.ok(Buffer.concat([start, rest]).equals(bytes));
  await pouring;
  assert.ok(Buffer.concat(poured).equals(bytes.subarray(3)));
  await Promise.all([slow, crawling].map((blob) => blob[Symbol.asyncDispose]()));
  await place.told('download-ended');
  assert.equal(await place.store.size(digest), undefined);
  const before = place.registry.count(BLOBS);
  assert.ok(before >= 2, 'the slow ones went on alone');

  // Room again: the path that was always full is gone with the ingest that could not keep a byte.
  assert.ok((await read(place, digest)).equals(bytes));
  await place.told('download-ended', 2);
  assert.equal(await place.store.size(digest), bytes.length);
});

test('no room, and the upstream lies: those who went on alone are cut as well', async () => {
  await using place = await world();
  const { digest } = large(place, 30 * MiB);
  await symlink('/dev/full', place.paths.ingest(digest));
  place.registry.misbehave(BLOBS, { kind: 'flip', at: 29 * MiB });
  await using slow = await place.mirror.blob(repository, digest);
  const iterator = slow.body[Symbol.asyncIterator]();
  await iterator.next();
  await assert.rejects(read(place, digest));
  await assert.rejects(collect({ [Symbol.asyncIterator]: () => iterator }));
});

test('a blob is readable only through repositories that are known to hold it', async () => {
  await using place = await world();
  const { digest, bytes } = large(place, MiB);
  await read(place, digest);
  await place.told('download-ended');
  const stranger = { host: 'docker.io', path: 'library/stranger' };
  await assert.rejects(place.mirror.blob(stranger, digest), fails('BLOB_UNKNOWN'));
  await assert.rejects(place.mirror.stat(stranger, digest), fails('BLOB_UNKNOWN'));

  const friend = { host: 'other.example', path: 'library/x' };
  await using blob = await place.mirror.blob(friend, digest);
  assert.ok((await collect(blob.body)).equals(bytes));
  assert.equal(blob.served?.result, 'revalidated');
  assert.equal(place.registry.count(BLOBS), 1);
  await using again = await place.mirror.blob(friend, digest);
  assert.equal(again.served?.result, 'hit');
});

test('nor through a download that another repository runs', async () => {
  await using place = await world();
  const { digest, bytes } = large(place, 2 * MiB);
  const hold = gate();
  place.registry.misbehave(BLOBS, { kind: 'hold-body', at: MiB, gate: hold });
  await using blob = await place.mirror.blob(repository, digest);
  const stranger = { host: 'docker.io', path: 'library/stranger' };
  await assert.rejects(place.mirror.blob(stranger, digest), fails('BLOB_UNKNOWN'));
  await using friend = await place.mirror.blob(
    { host: 'other.example', path: 'library/x' },
    digest,
  );
  assert.equal(friend.served?.result, 'joined');
  hold.open();
  assert.ok((await collect(friend.body)).equals(bytes));
  assert.ok((await collect(blob.body)).equals(bytes));
  assert.equal(place.registry.count(BLOBS), 1);
});

test('a definitive "not there" is remembered for a short time, any other failure is not', async () => {
  await using place = await world();
  const { digest } = large(place, 1000);
  const undo = place.registry.misbehave(BLOBS, { kind: 'status', status: 500 });
  await assert.rejects(read(place, digest), fails('UPSTREAM_UNAVAILABLE'));
  undo();
  assert.equal((await read(place, digest)).length, 1000);
  const absent = `sha256:${'0'.repeat(64)}` as Digest;
  await assert.rejects(read(place, absent), fails('BLOB_UNKNOWN'));
  const asked = place.registry.count({ path: /0000/ });
  await assert.rejects(
    read(place, absent),
    (error: unknown) => error instanceof RegistryError && error.served?.result === 'negative',
  );
  assert.equal(place.registry.count({ path: /0000/ }), asked);
});

test('HEAD of a cold blob asks the upstream and downloads nothing', async () => {
  await using place = await world();
  const { digest, bytes } = large(place);
  assert.equal((await place.mirror.stat(repository, digest)).size, bytes.length);
  assert.equal(place.registry.count(BLOBS), 0);
});

test('a restart in mid-download: what came is gone on with, whatever is served is right', async () => {
  await using place = await world();
  const { digest, bytes } = large(place);
  const undo = place.registry.misbehave(BLOBS, { kind: 'hold-body', at: 5 * MiB, gate: gate() });
  await using blob = await place.mirror.blob(repository, digest, { from: 0, to: 4 * MiB });
  await collect(blob.body);
  await place.restart();
  undo();
  assert.equal(await place.store.size(digest), undefined);
  assert.ok((await read(place, digest)).equals(bytes));
  assert.match(String(place.registry.matching(BLOBS).at(-1)?.headers['range']), /^bytes=[1-9]/);
});

test('a stored blob that was truncated is never served, whoever asks first and how', async () => {
  for (const how of ['stat', 'blob', 'elsewhere'] as const) {
    await using place = await world();
    const { digest, bytes } = large(place, 100_000);
    await read(place, digest);
    await place.told('download-ended');
    await chmod(place.paths.blob(digest), 0o644);
    await truncate(place.paths.blob(digest), 50_000);
    const friend = { host: 'other.example', path: 'library/x' };
    if (how === 'stat') {
      assert.equal((await place.mirror.stat(repository, digest)).size, bytes.length);
    }
    await using blob = await place.mirror.blob(how === 'elsewhere' ? friend : repository, digest);
    assert.ok((await collect(blob.body)).equals(bytes), how);
  }
});

test('what an upstream says of a length does not throw away what is right', async () => {
  await using place = await world();
  const { digest, bytes } = large(place, 100_000);
  await read(place, digest);
  await place.told('download-ended');
  place.registry.misbehave(
    { method: 'HEAD', path: /\/blobs\// },
    { kind: 'headers', set: { 'Content-Length': '70000' } },
  );
  await using blob = await place.mirror.blob({ host: 'other.example', path: 'library/x' }, digest);
  assert.ok((await collect(blob.body)).equals(bytes));
  assert.equal(place.registry.count(BLOBS), 1);
});

test('a "not there" of one repository is not handed to another that waits for the same blob', async () => {
  await using place = await world();
  const { digest, bytes } = large(place, 100_000);
  const missing = { host: 'docker.io', path: 'missing/r' };
  const hold = gate();
  const wrong = { path: /missing\/r\/blobs/ };
  place.registry.misbehave(wrong, { kind: 'hold-headers', gate: hold });
  const first = place.mirror.blob(missing, digest);
  first.catch(() => {});
  await place.registry.seen({ ...wrong, method: 'GET' });
  const second = place.mirror.blob(repository, digest);
  await place.told('download-joined');
  hold.open();
  await assert.rejects(first, fails('BLOB_UNKNOWN'));
  await using blob = await second;
  assert.ok((await collect(blob.body)).equals(bytes));
  assert.equal((await read(place, digest)).length, bytes.length);
});

test('a repository that will not go on is left for another that holds the blob', async () => {
  await using place = await world();
  const { digest, bytes } = large(place, 3 * MiB);
  const hold = gate();
  place.registry.misbehave({ ...BLOBS, times: 1 }, { kind: 'cut', at: MiB });
  place.registry.misbehave({ ...BLOBS, times: 1 }, { kind: 'hold-body', at: MiB, gate: hold });
  await using one = await place.mirror.blob(repository, digest);
  const friend = { host: 'docker.io', path: 'library/friend' };
  place.registry.addBlob({ size: 3 * MiB, seed: 7 }, friend.path);
  await using two = await place.mirror.blob(friend, digest);
  // What breaks off is turned from first; what refuses after that is not asked again.
  const refusing = { method: 'GET', path: /library\/friend\/blobs/ };
  place.registry.misbehave(refusing, { kind: 'status', status: 403 });
  hold.open();
  const [first, second] = await Promise.all([collect(one.body), collect(two.body)]);
  assert.ok(first.equals(bytes) && second.equals(bytes));
  assert.equal(place.registry.count(refusing), 1);
});

test('every repository that joined is linked: later it needs no upstream', async () => {
  await using place = await world();
  const { digest, bytes } = large(place, 3 * MiB);
  const hold = gate();
  place.registry.misbehave(BLOBS, { kind: 'hold-body', at: MiB, gate: hold });
  await using one = await place.mirror.blob(repository, digest);
  const friend = { host: 'other.example', path: 'library/x' };
  await using two = await place.mirror.blob(friend, digest);
  hold.open();
  await Promise.all([collect(one.body), collect(two.body)]);
  await place.told('download-ended');
  await place.restart();
  place.registry.misbehave({}, { kind: 'reset' });
  await using later = await place.mirror.blob(friend, digest);
  assert.equal(later.served?.result, 'hit');
  assert.ok((await collect(later.body)).equals(bytes));
});

test('a link that could not be written is written when it can be, without another request', async () => {
  await using place = await world();
  const { digest, bytes } = large(place, 100_000);
  const folder = path.dirname(place.paths.link(repository, digest));
  await mkdir(path.dirname(folder), { recursive: true });
  await writeFile(folder, 'in the way');
  assert.ok((await read(place, digest)).equals(bytes));
  await place.told('storage-error');
  await place.told('download-ended');
  await rm(folder);
  await place.restart();
  place.registry.misbehave({}, { kind: 'reset' });
  assert.ok((await read(place, digest)).equals(bytes));
});

test('no room: all who come late go on alone, one after the other and at once', async () => {
  await using place = await world();
  const { digest, bytes } = large(place, 30 * MiB);
  await symlink('/dev/full', place.paths.ingest(digest));
  const hold = gate();
  place.registry.misbehave({ ...BLOBS, times: 1 }, { kind: 'hold-body', at: 29 * MiB, gate: hold });
  await using first = await place.mirror.blob(repository, digest);
  const iterator = first.body[Symbol.asyncIterator]();
  for (let got = 0; got < 20 * MiB;) got += (await iterator.next()).value?.length ?? 0;
  assert.ok((await read(place, digest)).equals(bytes));
  const both = await Promise.all([read(place, digest), read(place, digest, { from: 7 })]);
  assert.ok(both[0].equals(bytes) && both[1].equals(bytes.subarray(7)));
  hold.open();
  for (let next = await iterator.next(); next.done !== true; next = await iterator.next()) continue;
});
