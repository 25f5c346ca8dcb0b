import assert from 'node:assert/strict';
import { test } from 'node:test';
import { digestOf } from '../../src/core/digest.ts';
import { RegistryError } from '../../src/core/errors.ts';
import { UpstreamError } from '../../src/upstream/failure.ts';
import { systemClock } from '../../src/upstream/clock.ts';
import { certificateAuthority } from '../fixtures/certificate.ts';
import { pattern } from '../fixtures/collect.ts';
import { memoryContent } from '../fixtures/memory-content.ts';
import { startRegistry, type Registry } from '../fixtures/registry.ts';
import { connect, failure, X, type Observed } from './support.ts';

const MIB = 1024 * 1024;
const UPLOADS = /\/blobs\/uploads\//;
const PUT = { method: 'PUT', path: UPLOADS };
const PATCH = { method: 'PATCH', path: UPLOADS };
const POST = { method: 'POST', path: UPLOADS };
const Y = { host: 'example.test', path: 'library/y' };

const DATA = pattern(3 * MIB + 17);

async function push(
  source: Observed,
  what: ReturnType<typeof memoryContent>,
  from?: typeof Y,
): Promise<{ placement: string; told: number }> {
  let told = 0;
  const progress = (bytes: number): void => {
    told += bytes;
  };
  const placement = await source.sink.blob(X, what.descriptor, what.content, { from, progress });
  assert.equal(what.open, 0, 'what was opened is closed');
  return { placement, told };
}

function holds(registry: Registry, bytes: Uint8Array): void {
  const stored = registry.blob('library/x', digestOf(bytes));
  assert.ok(stored !== undefined, 'the blob is not there');
  assert.deepEqual(Buffer.concat([...stored.read(0, stored.size)]), Buffer.from(bytes));
  assert.equal(registry.pushes.open, 0, 'no upload is left over');
}

test('a blob goes in one request, and what is there is not sent again', async () => {
  await using registry = await startRegistry();
  await using source = connect(registry);
  const what = memoryContent(DATA);
  assert.deepEqual(await push(source, what), { placement: 'written', told: DATA.length });
  holds(registry, DATA);
  const [put] = registry.matching(PUT);
  assert.equal(put?.headers['content-length'], String(DATA.length));
  assert.equal(put?.headers['transfer-encoding'], undefined);
  assert.equal(put?.headers['content-type'], 'application/octet-stream');
  // The registry's own query is kept to the letter.
  assert.match(put?.path ?? '', /\?_state=a%2Fb%3D&x=1&digest=sha256%3A[0-9a-f]{64}$/);
  assert.deepEqual(what.opened, [0]);
  assert.deepEqual(await push(source, what), { placement: 'present', told: 0 });
  assert.deepEqual(what.opened, [0]);
  assert.equal(registry.count(POST), 1);
});

test('an empty blob, a sha512 one, and one of a single byte', async () => {
  await using registry = await startRegistry();
  await using source = connect(registry, { chunk: 1 });
  for (const bytes of [new Uint8Array(), Buffer.from('a'), Buffer.from('abc')]) {
    await push(source, memoryContent(bytes, { chunk: 2 }));
    holds(registry, bytes);
  }
  const long = memoryContent(Buffer.from('long'), { algorithm: 'sha512' });
  assert.equal((await push(source, long)).placement, 'written');
  assert.equal((await push(source, long)).placement, 'present');
});

test('a blob of another repository is mounted, with one token for both', async () => {
  await using registry = await startRegistry({ auth: { kind: 'bearer', expiresIn: 300 } });
  await using source = connect(registry);
  const what = memoryContent(DATA);
  registry.addBlob(DATA, 'library/y');
  assert.deepEqual(await push(source, what, Y), { placement: 'mounted', told: 0 });
  assert.deepEqual(what.opened, []);
  assert.ok(registry.blob('library/x', what.descriptor.digest));
  const scopes = registry
    .matching({ path: /^\/token/ })
    .map(({ path }) => new URL(path, 'http://x').searchParams.getAll('scope'));
  assert.deepEqual(scopes, [
    ['repository:library/x:pull,push'],
    ['repository:library/x:pull,push', 'repository:library/y:pull'],
  ]);
});

test('a mount that is not made, or refused, becomes an upload', async () => {
  await using registry = await startRegistry();
  await using source = connect(registry);
  registry.addBlob('other', 'library/y');
  const undo = registry.misbehave({ path: /mount=/ }, { kind: 'no-mount' });
  registry.addBlob(DATA, 'library/y');
  assert.equal((await push(source, memoryContent(DATA), Y)).placement, 'written');
  assert.equal(registry.count(POST), 1, 'the upload that began instead is used');
  undo();
  registry.misbehave({ path: /mount=/ }, { kind: 'status', status: 403 });
  const small = memoryContent(Buffer.from('small'));
  assert.equal((await push(source, small, Y)).placement, 'written');
});

test('what another registry has is not mounted', async () => {
  await using registry = await startRegistry();
  await using source = connect(registry);
  await push(source, memoryContent(DATA), { host: 'elsewhere.test', path: 'library/y' });
  assert.equal(registry.count({ path: /mount=/ }), 0);
});

test('after a cut it goes on where the registry says', async () => {
  await using registry = await startRegistry();
  await using source = connect(registry);
  registry.misbehave({ ...PUT, times: 1 }, { kind: 'cut-upload', at: MIB + 5 });
  const what = memoryContent(DATA);
  assert.deepEqual(await push(source, what), { placement: 'written', told: DATA.length });
  holds(registry, DATA);
  assert.equal(registry.count(POST), 1);
  assert.equal(what.opened.length, 2);
  const [, second] = registry.matching(PUT);
  assert.equal(second?.headers['content-range'], `${what.opened[1]}-${DATA.length - 1}`);
  assert.ok((what.opened[1] ?? 0) > 0);
});

test('cut again and again it goes on as long as something arrives', async () => {
  await using registry = await startRegistry();
  await using source = connect(registry, { retries: 1 });
  registry.misbehave({ ...PUT, times: 5 }, { kind: 'cut-upload', at: 400_000 });
  await push(source, memoryContent(DATA));
  holds(registry, DATA);
});

test('an upload that the registry forgot begins anew, in chunks when it is large', async () => {
  await using registry = await startRegistry();
  await using source = connect(registry);
  registry.misbehave({ ...PUT, times: 1 }, { kind: 'cut-upload', at: MIB, forgets: true });
  const what = memoryContent(DATA);
  assert.deepEqual(await push(source, what), { placement: 'written', told: DATA.length });
  holds(registry, DATA);
  assert.equal(registry.count(POST), 2);
  assert.deepEqual(what.opened, [0, 0]);
});

test('it gives up when nothing ever arrives', async () => {
  await using registry = await startRegistry();
  await using source = connect(registry);
  registry.misbehave(PUT, { kind: 'cut-upload', at: 0, forgets: true });
  await failure(push(source, memoryContent(DATA)), 'UPSTREAM_UNAVAILABLE');
  assert.equal(registry.count(PUT), 4);
});

test('in chunks: each is acknowledged, and the end has no body', async () => {
  await using registry = await startRegistry();
  await using source = connect(registry, { chunk: MIB });
  const what = memoryContent(DATA);
  await push(source, what);
  holds(registry, DATA);
  const ranges = registry.matching(PATCH).map(({ headers }) => headers['content-range']);
  assert.deepEqual(ranges, [
    `0-${MIB - 1}`,
    `${MIB}-${2 * MIB - 1}`,
    `${2 * MIB}-${3 * MIB - 1}`,
    `${3 * MIB}-${3 * MIB + 16}`,
  ]);
  assert.equal(registry.matching(PUT)[0]?.headers['content-length'], '0');
  assert.deepEqual(what.opened, [0], 'the content is read through once');
});

test('a chunk that the registry lost sight of: 404 begins anew, 416 asks where it stands', async () => {
  for (const status of [404, 416]) {
    await using registry = await startRegistry();
    await using source = connect(registry, { chunk: MIB });
    registry.misbehave({ ...PATCH, times: 1 }, { kind: 'status', status });
    await push(source, memoryContent(DATA));
    const stored = registry.blob('library/x', digestOf(DATA));
    assert.ok(stored, String(status));
  }
});

test('413 halves the pieces until they are taken; the refusal is read, not the broken pipe', async () => {
  await using registry = await startRegistry();
  await using source = connect(registry);
  const large = pattern(24 * MIB, 3);
  registry.misbehave({ path: UPLOADS }, { kind: 'largest-body', bytes: 5 * MIB });
  await push(source, memoryContent(large));
  const stored = registry.blob('library/x', digestOf(large));
  assert.ok(stored);
  const sizes = registry.matching(PATCH).map(({ headers }) => Number(headers['content-length']));
  assert.ok(Math.max(...sizes.slice(1)) <= 6 * MIB, String(sizes));
});

test('413 to the smallest piece is told as such', async () => {
  await using registry = await startRegistry();
  await using source = connect(registry);
  registry.misbehave({ path: UPLOADS }, { kind: 'largest-body', bytes: 1000 });
  const error = await failure(push(source, memoryContent(DATA)), 'SIZE_INVALID');
  assert.match(error.message, /413/);
});

test('an early refusal that closes the connection is told as what it is', async () => {
  for (const [status, code] of [
    [403, 'DENIED'],
    [400, 'DIGEST_INVALID'],
  ] as const) {
    await using registry = await startRegistry();
    await using source = connect(registry);
    registry.misbehave(PUT, {
      kind: 'status',
      status,
      headers: { connection: 'close' },
      body: { errors: [{ code, message: 'because\u0007 of you' }] },
    });
    const error = await failure(push(source, memoryContent(pattern(24 * MIB, 4))), code);
    assert.match(error.message, /because {1,2}of you/);
  }
});

test('a token that ends in mid-upload is replaced, and the piece sent again', async () => {
  await using registry = await startRegistry({ auth: { kind: 'bearer', expiresIn: 300 } });
  await using source = connect(registry, { chunk: MIB });
  const what = memoryContent(DATA);
  let told = 0;
  let revoked = false;
  await source.sink.blob(X, what.descriptor, what.content, {
    progress(bytes) {
      told += bytes;
      if (told === 2 * MIB && !revoked) registry.revokeTokens();
      revoked ||= told >= 2 * MIB;
    },
  });
  assert.equal(told, DATA.length);
  holds(registry, DATA);
  assert.equal(registry.count({ path: /^\/token/ }), 2);
});

test('5xx and then fine; too many of them and it is told', async () => {
  await using registry = await startRegistry();
  await using source = connect(registry);
  registry.misbehave({ ...POST, times: 1 }, { kind: 'status', status: 503 });
  registry.misbehave({ ...PUT, times: 2 }, { kind: 'status', status: 500 });
  await push(source, memoryContent(DATA));
  holds(registry, DATA);
  registry.misbehave(PUT, { kind: 'status', status: 500 });
  await failure(push(source, memoryContent(pattern(100, 9))), 'UPSTREAM_UNAVAILABLE');
  assert.equal(registry.pushes.open, 0, 'an upload that failed is given up');
});

test('an answer that was lost: what arrived is found there', async () => {
  await using registry = await startRegistry();
  await using source = connect(registry);
  registry.misbehave({ ...PUT, times: 1 }, { kind: 'lose-answer' });
  const what = memoryContent(DATA);
  assert.equal((await push(source, what)).placement, 'written');
  assert.equal(registry.count(PUT), 1);
  assert.deepEqual(what.opened, [0]);
});

test('wrong content is never sent whole', async () => {
  await using registry = await startRegistry();
  await using source = connect(registry);
  const wrong = Uint8Array.from(DATA);
  wrong[5] = (wrong[5] ?? 0) ^ 1;
  await failure(push(source, memoryContent(DATA, { instead: wrong })), 'DIGEST_INVALID');
  const short = DATA.subarray(0, DATA.length - 1);
  await failure(push(source, memoryContent(DATA, { instead: short })), 'SIZE_INVALID');
  assert.equal(registry.blob('library/x', digestOf(DATA)), undefined);
  assert.equal(registry.blob('library/x', digestOf(wrong)), undefined);
  await registry.settled();
  assert.equal(registry.pushes.open, 0);
  // 404 is for one that the registry looked at only after it had been given up.
  const judged = registry
    .matching(PUT)
    .filter(({ status }) => status !== undefined && status !== 404);
  assert.deepEqual(judged, [], 'no upload came to its end');
  const empty = memoryContent(new Uint8Array());
  const lying = { ...empty.descriptor, digest: digestOf(Buffer.from('x')) };
  await failure(source.sink.blob(X, lying, empty.content), 'DIGEST_INVALID');
});

test('content that breaks is opened again where it broke, or its error is the error', async () => {
  await using registry = await startRegistry();
  await using source = connect(registry);
  const nature = { reason: 'reset', retry: 'worthwhile', reached: 'no' } as const;
  const broken = new UpstreamError('UPSTREAM_UNAVAILABLE', 'the other side was cut', nature);
  const what = memoryContent(DATA, { failAt: { at: MIB, error: broken } });
  assert.equal((await push(source, what)).placement, 'written');
  holds(registry, DATA);
  const full = new RegistryError('STORAGE_UNAVAILABLE', 'the disk is gone');
  const other = pattern(2 * MIB, 5);
  const lost = memoryContent(other, { failAt: { at: MIB, error: full } });
  assert.equal(await failure(push(source, lost), 'STORAGE_UNAVAILABLE'), full);
  await registry.settled();
  assert.equal(registry.pushes.open, 0);
});

test('content that breaks is not held against the registry', async () => {
  await using registry = await startRegistry();
  await using source = connect(registry);
  const error = new RegistryError('STORAGE_UNAVAILABLE', 'the disk is gone');
  for (let count = 0; count < 6; count += 1) {
    const lost = memoryContent(pattern(MIB, count), { failAt: { at: 0, error } });
    await failure(push(source, lost), 'STORAGE_UNAVAILABLE');
  }
  await push(source, memoryContent(DATA));
  const codes = source.events.flatMap((event) => (event.type === 'request' ? [event.code] : []));
  assert.ok(codes.includes('content') && !codes.includes('reset'), String(codes));
});

test('a Location on another host gets the bytes and no credentials', async () => {
  await using registry = await startRegistry({ auth: { kind: 'bearer' } });
  await using other = await startRegistry({ address: '127.0.0.2' });
  await using source = connect(registry);
  // The upload is begun at the other one by hand, so that its address is real.
  const begun = await fetch(`${other.url}/v2/library/x/blobs/uploads/`, { method: 'POST' });
  const location = other.url + (begun.headers.get('location') ?? '');
  registry.misbehave(POST, { kind: 'headers', set: { location } });
  assert.equal((await push(source, memoryContent(DATA))).placement, 'written');
  assert.ok(other.blob('library/x', digestOf(DATA)));
  const [put] = other.matching(PUT);
  assert.equal(put?.headers.authorization, undefined);
});

test('a registry with TLS that thinks it has none is not left for plain HTTP', async () => {
  const authority = certificateAuthority();
  await using registry = await startRegistry({ tls: authority.issue('127.0.0.1') });
  await using source = connect(registry, { tls: { ca: authority.ca } });
  const begun = registry.pushes;
  registry.misbehave(POST, { kind: 'absolute-location', scheme: 'http' });
  assert.equal((await push(source, memoryContent(DATA))).placement, 'written');
  assert.equal(begun.open, 0);
  registry.misbehave(POST, { kind: 'headers', set: { location: 'http://192.0.2.1/upload' } });
  await failure(push(source, memoryContent(pattern(9))), 'UPSTREAM_INVALID');
});

test('disposing ends a push at once', async () => {
  await using registry = await startRegistry();
  const source = connect(registry, { clock: systemClock });
  registry.misbehave(PUT, { kind: 'never-answer' });
  const pushing = failure(
    push(source, memoryContent(pattern(24 * MIB, 7))),
    'UPSTREAM_UNAVAILABLE',
  );
  await registry.seen(PUT);
  const started = performance.now();
  await source[Symbol.asyncDispose]();
  await pushing;
  assert.ok(performance.now() - started < 1_000);
});

test('a Location at a private address elsewhere, or nowhere, is refused', async () => {
  await using registry = await startRegistry();
  await using source = connect(registry, { allowPrivate: [] });
  const set = (location: string | undefined) =>
    registry.misbehave(POST, { kind: 'headers', set: { location } });
  set(`${registry.storageUrl}/upload`);
  await failure(push(source, memoryContent(DATA)), 'UPSTREAM_UNAVAILABLE');
  set('ftp://example.test/upload');
  await failure(push(source, memoryContent(DATA)), 'UPSTREAM_INVALID');
  set(undefined);
  await failure(push(source, memoryContent(DATA)), 'UPSTREAM_INVALID');
  assert.equal(registry.requests.filter(({ at }) => at === 'storage').length, 0);
});

test('a registry that took the bytes for others is not believed', async () => {
  await using registry = await startRegistry();
  await using source = connect(registry);
  const other = digestOf(Buffer.from('other'));
  registry.misbehave(PUT, { kind: 'headers', set: { 'docker-content-digest': other } });
  await failure(push(source, memoryContent(DATA)), 'UPSTREAM_INVALID');
});

test('mirrors are never written to, nor asked in order to write', async () => {
  await using registry = await startRegistry();
  await using mirror = await startRegistry();
  mirror.addBlob(DATA);
  await using source = connect(registry, { mirrors: [mirror.url] });
  await push(source, memoryContent(DATA));
  holds(registry, DATA);
  assert.equal(mirror.requests.length, 0);
});

test('a registry that takes nothing for too long is given up', async () => {
  await using registry = await startRegistry();
  const timeouts = { connect: 5_000, headers: 5_000, idle: 200 };
  await using source = connect(registry, { timeouts, retries: 0 });
  registry.misbehave(PUT, { kind: 'never-answer' });
  const large = pattern(24 * MIB, 6);
  await failure(push(source, memoryContent(large)), 'UPSTREAM_TIMEOUT');
});
