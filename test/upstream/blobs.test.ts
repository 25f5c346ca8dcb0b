import assert from 'node:assert/strict';
import { test } from 'node:test';
import { digestOf } from '../../src/core/digest.ts';
import type { Range } from '../../src/core/range.ts';
import { gate } from '../fixtures/gate.ts';
import { generatedBytes } from '../fixtures/registry-content.ts';
import { startRegistry } from '../fixtures/registry.ts';
import { bytesOf, connect, failure, V1, X } from './support.ts';

const LAYER = { size: 300_000, seed: 3 };
const LARGE = { size: 64 * 1024 * 1024, seed: 5 };
const WHOLE = generatedBytes(LAYER);

test('a blob comes whole, by body and by pour', async () => {
  await using registry = await startRegistry();
  await using source = connect(registry);
  const digest = registry.addBlob(LAYER);
  const blob = await source.blob(X, digest);
  assert.equal(blob.size, LAYER.size);
  assert.deepEqual(blob.span, { start: 0, end: LAYER.size });
  assert.equal(digestOf(await bytesOf(blob)), digest);
  await using poured = await source.blob(X, digest);
  const chunks: Uint8Array[] = [];
  await poured.pour?.(async (chunk) => {
    await Promise.resolve();
    chunks.push(Uint8Array.from(chunk));
  });
  assert.equal(digestOf(Buffer.concat(chunks)), digest);
  const bytes = source.events.reduce(
    (sum, event) => sum + (event.type === 'received' ? event.bytes : 0),
    0,
  );
  assert.equal(bytes, 2 * LAYER.size);
});

test('an empty blob is one', async () => {
  await using registry = await startRegistry();
  await using source = connect(registry);
  const digest = registry.addBlob('');
  assert.equal((await bytesOf(await source.blob(X, digest))).length, 0);
  assert.equal((await source.stat(X, digest)).size, 0);
});

const BYTES_OF_NOTHING = { 'content-type': 'application/octet-stream' };

for (const [name, answer] of [
  ['200 without bytes', { status: 200, headers: BYTES_OF_NOTHING }],
  ['204', { status: 204 }],
  ['204 with a length', { status: 204, headers: { 'content-length': '300000' } }],
  ['416 of nothing', { status: 416, headers: { 'content-range': 'bytes */0' } }],
] as const) {
  test(`${name} is no blob that has bytes, whatever is asked`, async () => {
    await using registry = await startRegistry();
    await using source = connect(registry);
    const digest = registry.addBlob(LAYER);
    const undo = registry.misbehave({ method: 'GET' }, { kind: 'status', ...answer });
    for (const range of [undefined, { from: 0 }, { from: 5, to: 9 }, { last: 5 }]) {
      await failure(source.blob(X, digest, range), 'UPSTREAM_INVALID');
    }
    assert.equal((await source.stat(X, digest)).size, LAYER.size);
    registry.misbehave({ method: 'HEAD' }, { kind: 'status', ...answer, body: '' });
    if (answer.status !== 416) await failure(source.stat(X, digest), 'UPSTREAM_INVALID');
    await failure(source.blob(X, digest), 'UPSTREAM_INVALID');
    undo();
    if (answer.status !== 416) assert.equal((await source.stat(X, digest)).size, LAYER.size);
  });
}

test('that an empty blob is empty is believed however it is told', async () => {
  await using registry = await startRegistry();
  await using source = connect(registry);
  for (const algorithm of ['sha256', 'sha512'] as const) {
    const digest = registry.addBlob('', undefined, algorithm);
    const undo = registry.misbehave({ method: 'HEAD' }, { kind: 'status', status: 405 });
    assert.equal((await source.stat(X, digest)).size, 0);
    assert.equal((await failure(source.blob(X, digest, { from: 0 }), 'RANGE_INVALID')).status, 416);
    undo();
    assert.equal((await source.stat(X, digest)).size, 0);
  }
});

const RANGES: readonly (readonly [Range, number, number])[] = [
  [{ from: 100_000 }, 100_000, 300_000],
  [{ from: 10, to: 19 }, 10, 20],
  [{ from: 299_990, to: 400_000 }, 299_990, 300_000],
  [{ last: 5 }, 299_995, 300_000],
  [{ last: 400_000 }, 0, 300_000],
];

for (const way of ['honoured', 'ignored'] as const) {
  test(`ranges, ${way} by the upstream`, async () => {
    await using registry = await startRegistry();
    await using source = connect(registry);
    const digest = registry.addBlob(LAYER);
    if (way === 'ignored') registry.misbehave({}, { kind: 'ignore-range' });
    for (const [range, start, end] of RANGES) {
      const blob = await source.blob(X, digest, range);
      assert.equal(blob.size, LAYER.size);
      assert.deepEqual(blob.span, { start, end });
      assert.deepEqual(await bytesOf(blob), WHOLE.subarray(start, end));
    }
    const error = await failure(source.blob(X, digest, { from: 300_000 }), 'RANGE_INVALID');
    assert.deepEqual(error.detail, { size: 300_000 });
  });
}

test('a part that is not the one asked for is refused', async () => {
  await using registry = await startRegistry();
  await using source = connect(registry);
  const digest = registry.addBlob(LAYER);
  registry.misbehave({}, { kind: 'headers', set: { 'content-range': 'bytes 0-9/300000' } });
  await failure(source.blob(X, digest, { from: 10, to: 19 }), 'UPSTREAM_INVALID');
});

test('a cut body fails as unavailable after what came, and goes on by range', async () => {
  await using registry = await startRegistry();
  await using source = connect(registry);
  const digest = registry.addBlob(LAYER);
  registry.misbehave({ times: 1 }, { kind: 'cut', at: 70_000 });
  await using blob = await source.blob(X, digest);
  let got = 0;
  const reading = (async () => {
    for await (const chunk of blob.body) got += chunk.length;
  })();
  await failure(reading, 'UPSTREAM_UNAVAILABLE');
  assert.ok(got > 0 && got <= 70_000, `got ${got}`);
  const rest = await bytesOf(await source.blob(X, digest, { from: got }));
  assert.deepEqual(rest, WHOLE.subarray(got));
});

test('a body without an announced end is held against the size from HEAD', async () => {
  await using registry = await startRegistry();
  await using source = connect(registry);
  const digest = registry.addBlob('0123456789');
  const chunked = { 'content-length': undefined, 'transfer-encoding': 'chunked' };
  registry.misbehave({ method: 'GET' }, { kind: 'headers', set: chunked });
  assert.equal(digestOf(await bytesOf(await source.blob(X, digest))), digest);
  assert.equal(registry.count({ method: 'HEAD' }), 1);
  const lie = registry.misbehave(
    { method: 'HEAD' },
    { kind: 'headers', set: { 'content-length': '9' } },
  );
  await failure(bytesOf(await source.blob(X, digest)), 'UPSTREAM_INVALID');
  lie();
  registry.misbehave({ method: 'HEAD' }, { kind: 'headers', set: { 'content-length': '11' } });
  await failure(bytesOf(await source.blob(X, digest)), 'UPSTREAM_UNAVAILABLE');
});

test('a blob whose size nothing tells is refused, in words that say why', async () => {
  await using registry = await startRegistry();
  await using source = connect(registry);
  const digest = registry.addBlob(LAYER);
  const chunked = { 'content-length': undefined, 'transfer-encoding': 'chunked' };
  registry.misbehave({}, { kind: 'headers', set: chunked });
  assert.equal((await source.blob(X, digest)).size, LAYER.size);
  registry.misbehave({}, { kind: 'ignore-range' });
  for (const asked of [source.stat(X, digest), source.blob(X, digest)]) {
    assert.match((await failure(asked, 'UPSTREAM_INVALID')).message, /neither by Content-Length/);
  }
});

test('a body that rests too long times out', async () => {
  await using registry = await startRegistry();
  await using source = connect(registry, {
    timeouts: { connect: 1_000, headers: 1_000, idle: 50 },
  });
  const digest = registry.addBlob(LAYER);
  registry.misbehave({}, { kind: 'hold-body', at: 10, gate: gate() });
  await failure(bytesOf(await source.blob(X, digest)), 'UPSTREAM_TIMEOUT');
});

test('bodies wait for their turn; small requests do not wait', { timeout: 10_000 }, async () => {
  await using registry = await startRegistry();
  const timeouts = { connect: 5_000, headers: 5_000, idle: 60_000 };
  await using source = connect(registry, { maxConnections: 1, timeouts });
  const digest = registry.addBlob(LAYER);
  const { manifest } = registry.addImage('library/x', 'v1');
  const held = gate();
  registry.misbehave({ path: /blobs/, times: 1 }, { kind: 'hold-body', at: 10, gate: held });
  const first = await source.blob(X, digest);
  const second = source.blob(X, digest);
  assert.equal((await source.resolve(X, V1)).descriptor.digest, manifest.digest);
  assert.equal((await source.stat(X, digest)).size, LAYER.size);
  assert.equal(registry.count({ method: 'GET', path: /blobs/ }), 1);
  assert.ok(source.events.some((event) => event.type === 'load' && event.waiting === 1));
  await first[Symbol.asyncDispose]();
  assert.equal(digestOf(await bytesOf(await second)), digest);
  await registry.settled();
  assert.equal(registry.matching({ method: 'GET' })[0]?.outcome, 'cut');
});

for (const range of [{ from: 0, to: 9 }, { last: 10 }]) {
  test(`parts that nobody reads (${Object.keys(range).join()}) hold up no download`, async () => {
    await using registry = await startRegistry();
    await using source = connect(registry, { maxConnections: 1 });
    const digest = registry.addBlob(LAYER);
    await using first = await source.blob(X, digest, range);
    await using second = await source.blob(X, digest, range);
    const third = source.blob(X, digest, range);
    assert.equal(digestOf(await bytesOf(await source.blob(X, digest))), digest);
    assert.equal((await bytesOf(await source.blob(X, digest, { from: 7 }))).length, LAYER.size - 7);
    assert.equal(registry.count({ method: 'GET' }), 4);
    assert.equal(first.span.end - first.span.start, 10);
    await second[Symbol.asyncDispose]();
    assert.equal((await bytesOf(await third)).length, 10);
  });
}

test('a part that nobody goes on reading is ended, so that the next has its turn', async () => {
  await using registry = await startRegistry();
  const timeouts = { connect: 5_000, headers: 5_000, idle: 50 };
  await using source = connect(registry, { maxConnections: 1, timeouts });
  const digest = registry.addBlob(LARGE);
  const range = { from: 1, to: LARGE.size - 2 };
  await using never = await source.blob(X, digest, range);
  await using begun = await source.blob(X, digest, range);
  const chunks = begun.body[Symbol.asyncIterator]();
  assert.ok(!(await chunks.next()).done);
  const others = await Promise.all([1, 2].map(() => source.blob(X, digest, { last: 5 })));
  for (const blob of others) assert.equal((await bytesOf(blob)).length, 5);
  await failure(chunks.next(), 'UPSTREAM_TIMEOUT');
  await failure(bytesOf(never), 'UPSTREAM_TIMEOUT');
  await registry.settled();
  assert.deepEqual(
    registry.matching({ method: 'GET' }).map(({ outcome }) => outcome),
    ['cut', 'cut', 'answered', 'answered'],
  );
});

test('a slow reader holds the upstream back instead of filling memory', async () => {
  await using registry = await startRegistry();
  await using source = connect(registry);
  const digest = registry.addBlob(LARGE);
  await using blob = await source.blob(X, digest);
  const slow = gate();
  const seen = gate();
  let got = 0;
  const pouring = blob.pour?.(async (chunk) => {
    got += chunk.length;
    seen.open();
    await slow.opened;
  });
  await seen.opened;
  // What is under way in buffers of the system settles once the fixture waits for the socket to drain.
  let before = -1;
  while (before !== registry.bytesSent()) {
    before = registry.bytesSent();
    for (let turn = 0; turn < 50; turn += 1) await new Promise(setImmediate);
  }
  assert.ok(before < LARGE.size / 2, `sent ${before}`);
  slow.open();
  await pouring;
  assert.equal(got, LARGE.size);
});

test('stat tells the size, and whose word it is that there is none', async () => {
  await using registry = await startRegistry();
  await using source = connect(registry);
  const digest = registry.addBlob(LAYER, 'library/x');
  assert.equal((await source.stat(X, digest)).size, LAYER.size);
  const other = { host: X.host, path: 'library/other' };
  assert.equal((await failure(source.stat(other, digest), 'BLOB_UNKNOWN')).definitive, true);
  registry.misbehave({}, { kind: 'status', status: 404, body: 'nothing here' });
  assert.equal((await failure(source.stat(X, digest), 'BLOB_UNKNOWN')).definitive, false);
  assert.equal((await failure(source.blob(X, digest), 'BLOB_UNKNOWN')).definitive, false);
});

for (const status of [400, 401, 403]) {
  test(`HEAD ${status} by a URL that is signed for GET: the first byte tells the size`, async () => {
    await using registry = await startRegistry();
    await using source = connect(registry);
    const digest = registry.addBlob(LAYER);
    registry.misbehave({ path: /^\/v2\// }, { kind: 'signed-redirect' });
    const refused = { method: 'HEAD', path: /^\/storage/ };
    registry.misbehave(refused, { kind: 'status', status, body: '<Error/>' });
    assert.equal((await source.stat(X, digest)).size, LAYER.size);
    assert.equal(registry.count(refused), 1);
    const { headers } = registry.requests.at(-1)!;
    assert.equal(headers.range, 'bytes=0-0');
  });
}

test('storage that refuses GET as well is denied', async () => {
  await using registry = await startRegistry();
  await using source = connect(registry);
  const digest = registry.addBlob(LAYER);
  registry.misbehave({ path: /^\/v2\// }, { kind: 'signed-redirect' });
  registry.misbehave({ path: /^\/storage/ }, { kind: 'status', status: 403, body: '<Error/>' });
  await failure(source.stat(X, digest), 'DENIED');
});

test('HEAD 405 on a blob: its first byte tells the size', async () => {
  await using registry = await startRegistry();
  await using source = connect(registry);
  const digest = registry.addBlob(LAYER);
  registry.misbehave({ method: 'HEAD' }, { kind: 'status', status: 405 });
  assert.equal((await source.stat(X, digest)).size, LAYER.size);
});

test('the length of a compressed answer to HEAD is not the size of the blob', async () => {
  await using registry = await startRegistry();
  await using source = connect(registry);
  const digest = registry.addBlob(LAYER);
  const set = { 'content-encoding': 'gzip', 'content-length': '1234' };
  registry.misbehave({ method: 'HEAD' }, { kind: 'headers', set });
  assert.equal((await source.stat(X, digest)).size, LAYER.size);
  registry.misbehave({ method: 'GET' }, { kind: 'headers', set: { 'content-encoding': 'gzip' } });
  await failure(source.stat(X, digest), 'UPSTREAM_INVALID');
  await failure(source.blob(X, digest), 'UPSTREAM_INVALID');
});
