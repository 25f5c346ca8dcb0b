import assert from 'node:assert/strict';
import { networkInterfaces } from 'node:os';
import { test } from 'node:test';
import { givenCredentials } from '../../src/upstream/credentials.ts';
import { digestOf } from '../../src/core/digest.ts';
import { startRegistry } from '../fixtures/registry.ts';
import { bytesOf, connect, failure, V1, X } from './support.ts';

const API = /^\/v2\//;
const BLOBS = /^\/v2\/.*\/blobs\//;
const STORAGE = /^\/storage/;

for (const status of [301, 302, 303, 307, 308]) {
  test(`${status} to another host: the range goes along, what identifies us does not`, async () => {
    await using registry = await startRegistry({
      auth: { kind: 'basic', username: 'me', password: 'secret' },
    });
    await using source = connect(registry, {
      credentials: givenCredentials('me', 'secret'),
      headers: { 'X-Key': 'secret', Accept: 'secret', cookie: 'secret' },
    });
    const digest = registry.addBlob('0123456789');
    await using other = await startRegistry({ address: '127.0.0.2' });
    other.addBlob('0123456789');
    registry.misbehave(
      { path: /blobs/ },
      { kind: 'redirect', status, to: (path) => other.url + path },
    );
    registry.addImage('library/x', 'v1');
    await source.resolve(X, V1); // From here on credentials go along from the start.
    assert.ok(!String(registry.requests[0]?.headers.accept).includes('secret'));
    const blob = await source.blob(X, digest, { from: 2, to: 4 });
    assert.equal(Buffer.from(await bytesOf(blob)).toString(), '234');
    assert.equal(
      registry.matching({ path: /blobs/ }).at(-1)?.headers.authorization,
      'Basic bWU6c2VjcmV0',
    );
    const { headers } = other.requests.at(-1)!;
    assert.equal(headers.range, 'bytes=2-4');
    for (const name of ['authorization', 'cookie', 'x-key']) assert.equal(headers[name], undefined);
  });
}

test('manifests are followed and hashed like blobs', async () => {
  await using registry = await startRegistry();
  await using source = connect(registry);
  const { manifest } = registry.addImage('library/x', 'v1');
  registry.misbehave({ path: API }, { kind: 'signed-redirect' });
  const { descriptor } = await source.resolve(X, V1);
  assert.equal(descriptor.digest, manifest.digest);
  assert.equal(descriptor.mediaType, manifest.mediaType);
});

test('an expired signed URL is asked for anew, once', async () => {
  await using registry = await startRegistry();
  await using source = connect(registry);
  const digest = registry.addBlob('content');
  const undo = registry.misbehave({ path: API }, { kind: 'signed-redirect' });
  registry.misbehave({ path: API, times: 1 }, { kind: 'signed-redirect', uses: 0 });
  assert.equal(digestOf(await bytesOf(await source.blob(X, digest))), digest);
  assert.equal(registry.count({ path: API }), 2);
  assert.equal(registry.count({ path: STORAGE }), 2);
  undo();
  registry.misbehave({ path: API }, { kind: 'signed-redirect', uses: 0 });
  const error = await failure(source.blob(X, digest), 'DENIED');
  assert.equal(registry.count({ path: STORAGE }), 4);
  assert.ok(!/X-Signature|signature-/.test(`${error.message} ${JSON.stringify(source.events)}`));
});

test('a URL that expired behind a challenge is asked for anew, once', async () => {
  await using registry = await startRegistry({ auth: { kind: 'bearer' } });
  await using source = connect(registry);
  const digest = registry.addBlob('content');
  const challenge = `Bearer realm="${registry.url}/token",service="fixture"`;
  const undo = registry.misbehave({ path: BLOBS }, { kind: 'signed-redirect' });
  registry.misbehave({ path: BLOBS, times: 2 }, { kind: 'signed-redirect', uses: 0 });
  registry.misbehave(
    { path: BLOBS, times: 1 },
    { kind: 'status', status: 401, headers: { 'www-authenticate': challenge } },
  );
  assert.equal(digestOf(await bytesOf(await source.blob(X, digest))), digest);
  const asked = registry.matching({ path: BLOBS }).map(({ headers }) => headers.authorization);
  assert.equal(asked.length, 3);
  assert.equal(asked[0], undefined);
  assert.match(String(asked[1]), /^Bearer token-/);
  assert.equal(asked[2], asked[1]);
  undo();
  registry.misbehave({ path: BLOBS }, { kind: 'signed-redirect', uses: 0 });
  await failure(source.blob(X, digest), 'DENIED');
  assert.equal(registry.count({ path: BLOBS }), 5);
});

test('a 404 from storage is nobody\u2019s definitive word', async () => {
  await using registry = await startRegistry();
  await using source = connect(registry);
  const digest = registry.addBlob('content');
  registry.misbehave({ path: API }, { kind: 'signed-redirect' });
  const body = { errors: [{ code: 'BLOB_UNKNOWN', message: 'no' }] };
  registry.misbehave({ path: STORAGE }, { kind: 'status', status: 404, body });
  assert.equal((await failure(source.blob(X, digest), 'BLOB_UNKNOWN')).definitive, false);
});

test('loops end after ten redirects', async () => {
  await using registry = await startRegistry();
  await using source = connect(registry);
  registry.misbehave({}, { kind: 'redirect', to: (path) => path });
  await failure(source.manifest(X, V1), 'UPSTREAM_INVALID');
  assert.equal(registry.requests.length, 11);
});

test('redirects to nowhere or to other schemes are refused', async () => {
  await using registry = await startRegistry();
  await using source = connect(registry);
  for (const to of ['http://[', 'file:///etc/passwd', 'ftp://127.0.0.1/x']) {
    const undo = registry.misbehave({}, { kind: 'redirect', to });
    await failure(source.manifest(X, V1), 'UPSTREAM_INVALID');
    undo();
  }
});

const PRIVATE = [
  'http://127.0.0.2:1/x',
  'http://2130706434:1/',
  'http://0x7f.0.0.2:1/',
  'http://[::1]:1/',
  'http://[::ffff:127.0.0.2]:1/',
  'http://[64:ff9b::7f00:2]:1/',
  'http://0.0.0.0:1/',
  'http://10.1.2.3/',
  'http://100.64.0.1/',
  'http://169.254.169.254/latest/meta-data/',
  'http://localhost:1/',
  'http://localhost.:1/',
  'http://sub.localhost:1/',
];

test('redirects into private addresses are refused before anything is dialled', async () => {
  await using registry = await startRegistry();
  await using source = connect(registry, { allowPrivate: [] });
  for (const to of PRIVATE) {
    const undo = registry.misbehave({}, { kind: 'redirect', to });
    const error = await failure(source.manifest(X, V1), 'UPSTREAM_UNAVAILABLE');
    assert.ok(
      error.message.includes('upstreams.example.test.allowPrivate'),
      `${to}: ${error.message}`,
    );
    undo();
  }
  const codes = source.events.filter(
    (event) => event.type === 'request' && event.code === 'private',
  );
  assert.equal(codes.length, PRIVATE.length);
});

for (const entry of ['127.0.0.2', '127.0.0.0/8']) {
  test(`allowPrivate ${entry} lets a redirect pass`, async () => {
    await using registry = await startRegistry();
    const { manifest } = registry.addImage('library/x', 'v1');
    registry.misbehave({ path: API }, { kind: 'signed-redirect' });
    await using refused = connect(registry, { allowPrivate: ['127.0.0.3', '10.0.0.0/8'] });
    await failure(refused.manifest(X, V1), 'UPSTREAM_UNAVAILABLE');
    await using allowed = connect(registry, { allowPrivate: [entry] });
    assert.equal((await allowed.manifest(X, V1)).descriptor.digest, manifest.digest);
  });
}

const loopback = networkInterfaces()['lo']?.some(({ address }) => address === '::1') === true;
const skip = !loopback && 'this machine has no ::1';

test('an upstream is asked over IPv6, and redirects are judged', { skip }, async () => {
  await using registry = await startRegistry({ address: '::1' });
  assert.match(registry.url, /^http:\/\/\[::1\]:/);
  await using source = connect(registry);
  const { manifest } = registry.addImage('library/x', 'v1');
  const digest = registry.addBlob('0123456789');
  assert.equal((await source.manifest(X, V1)).descriptor.digest, manifest.digest);
  const blob = await source.blob(X, digest, { from: 2, to: 4 });
  assert.equal(Buffer.from(await bytesOf(blob)).toString(), '234');
  const asked = registry.requests.length;

  await using front = await startRegistry();
  front.misbehave({}, { kind: 'redirect', to: (path) => registry.url + path });
  await using refused = connect(front, { allowPrivate: ['127.0.0.0/8'] });
  await failure(refused.manifest(X, V1), 'UPSTREAM_UNAVAILABLE');
  assert.equal(registry.requests.length, asked);
  await using allowed = connect(front, { allowPrivate: ['::1/128'] });
  assert.equal((await allowed.manifest(X, V1)).descriptor.digest, manifest.digest);
});
