import assert from 'node:assert/strict';
import { test } from 'node:test';
import { digestOf } from '../../src/core/digest.ts';
import { LARGEST_MANIFEST } from '../../src/core/manifest.ts';
import { MANIFEST_TYPES, MEDIA_TYPES } from '../../src/core/media-type.ts';
import { startRegistry } from '../fixtures/registry.ts';
import { connect, failure, V1, X } from './support.ts';

test('resolves by HEAD with the whole Accept list and nothing compressed', async () => {
  await using registry = await startRegistry();
  await using source = connect(registry);
  const { manifest } = registry.addImage('library/x', 'v1');
  const { descriptor } = await source.resolve(X, V1);
  const { mediaType, digest, size } = manifest;
  assert.deepEqual(descriptor, { mediaType, digest, size });
  assert.equal(registry.requests.length, 1);
  const [request] = registry.requests;
  assert.equal(request?.method, 'HEAD');
  assert.equal(request?.headers['accept-encoding'], 'identity');
  assert.deepEqual(String(request?.headers['accept']).split(', '), MANIFEST_TYPES);
  assert.deepEqual((await source.resolve(X, digest)).descriptor, descriptor);
});

for (const [name, set] of Object.entries({
  'no digest': { 'docker-content-digest': undefined },
  'no length': { 'content-length': undefined, 'transfer-encoding': 'chunked' },
  'no type': { 'content-type': undefined },
  'a useless type': { 'content-type': 'application/json' },
})) {
  test(`HEAD with ${name}: the manifest is fetched and hashed`, async () => {
    await using registry = await startRegistry();
    await using source = connect(registry);
    const { manifest } = registry.addImage('library/x', 'v1');
    registry.misbehave({ method: 'HEAD' }, { kind: 'headers', set });
    const { descriptor } = await source.resolve(X, V1);
    assert.equal(descriptor.digest, manifest.digest);
    assert.equal(descriptor.mediaType, MEDIA_TYPES.ociManifest);
    assert.deepEqual(
      registry.requests.map(({ method }) => method),
      ['HEAD', 'GET'],
    );
  });
}

test('HEAD 405 is asked again as GET', async () => {
  await using registry = await startRegistry();
  await using source = connect(registry);
  const { manifest } = registry.addImage('library/x', 'v1');
  registry.misbehave({ method: 'HEAD' }, { kind: 'status', status: 405 });
  assert.equal((await source.resolve(X, V1)).descriptor.digest, manifest.digest);
});

test('the type is what the bytes say, whatever the header says', async () => {
  await using registry = await startRegistry();
  await using source = connect(registry);
  const { manifest } = registry.addImage('library/x', 'v1');
  registry.misbehave({}, { kind: 'headers', set: { 'content-type': 'text/plain; charset=utf-8' } });
  const fetched = await source.manifest(X, V1);
  assert.equal(fetched.descriptor.mediaType, MEDIA_TYPES.ociManifest);
  assert.deepEqual(Buffer.from(fetched.bytes), Buffer.from(manifest.bytes));
});

test('wrong bytes are refused, under a digest and under a tag', async () => {
  await using registry = await startRegistry();
  await using source = connect(registry);
  const { manifest } = registry.addImage('library/x', 'v1', { config: { author: 'somebody' } });
  const at = Buffer.from(manifest.bytes).indexOf('sha256:') + 10;
  const undo = registry.misbehave({}, { kind: 'flip', at });
  await failure(source.manifest(X, manifest.digest), 'UPSTREAM_INVALID');
  await failure(source.manifest(X, V1), 'UPSTREAM_INVALID');
  undo();
  registry.misbehave(
    {},
    { kind: 'headers', set: { 'docker-content-digest': digestOf(Buffer.from('a lie')) } },
  );
  await failure(source.manifest(X, V1), 'UPSTREAM_INVALID');
  assert.equal((await source.manifest(X, manifest.digest)).descriptor.digest, manifest.digest);
});

test('a manifest under a sha512 digest keeps it, also by tag', async () => {
  await using registry = await startRegistry();
  await using source = connect(registry);
  const value = { schemaVersion: 2, mediaType: MEDIA_TYPES.ociIndex, manifests: [] };
  const { digest } = registry.addManifest('library/x', 'v1', value, MEDIA_TYPES.ociIndex, 'sha512');
  assert.ok(digest.startsWith('sha512:'));
  assert.equal((await source.manifest(X, digest)).descriptor.digest, digest);
  assert.equal((await source.manifest(X, V1)).descriptor.digest, digest);
});

test('the largest manifest is taken, a larger one is not read to its end', async () => {
  await using registry = await startRegistry();
  await using source = connect(registry);
  const frame = JSON.stringify({ schemaVersion: 2, config: {}, filler: '' });
  const sized = (size: number) =>
    Buffer.from(frame.replace('""', `"${'x'.repeat(size - frame.length)}"`));
  const largest = registry.addManifest('library/x', 'v1', sized(LARGEST_MANIFEST));
  assert.equal((await source.manifest(X, V1)).descriptor.size, largest.size);
  const { digest } = registry.addManifest('library/x', 'v2', sized(LARGEST_MANIFEST + 1));
  await failure(source.manifest(X, digest), 'UPSTREAM_INVALID');
});

test('an answer that is no manifest is refused', async () => {
  await using registry = await startRegistry();
  await using source = connect(registry);
  registry.misbehave({}, { kind: 'status', status: 200, body: '<html>please log in</html>' });
  await failure(source.resolve(X, V1), 'UPSTREAM_INVALID');
  await failure(source.manifest(X, V1), 'UPSTREAM_INVALID');
});

test('not found: the registry\u2019s own word is definitive, another\u2019s is not', async () => {
  await using registry = await startRegistry();
  await using source = connect(registry);
  const told = await failure(source.resolve(X, V1), 'MANIFEST_UNKNOWN');
  assert.equal(told.definitive, true);
  assert.equal(registry.count({ method: 'GET' }), 1, 'only the body of a 404 tells whose it is');
  assert.ok(told.message.includes('example.test/library/x'));
  const undo = registry.misbehave({}, { kind: 'status', status: 404, body: '404 page not found' });
  assert.equal((await failure(source.resolve(X, V1), 'MANIFEST_UNKNOWN')).definitive, false);
  undo();
  const body = { errors: [{ code: 'NAME_UNKNOWN', message: 'no' }] };
  registry.misbehave({}, { kind: 'status', status: 404, body });
  assert.equal((await failure(source.manifest(X, V1), 'NAME_UNKNOWN')).definitive, true);
});

test('a body that is cut is fetched again', async () => {
  await using registry = await startRegistry();
  await using source = connect(registry);
  const { manifest } = registry.addImage('library/x', 'v1');
  registry.misbehave({ times: 1 }, { kind: 'cut', at: 10 });
  assert.equal((await source.manifest(X, V1)).descriptor.digest, manifest.digest);
  assert.equal(registry.requests.length, 2);
});

test('a compressed body is refused', async () => {
  await using registry = await startRegistry();
  await using source = connect(registry);
  registry.addImage('library/x', 'v1');
  registry.misbehave({}, { kind: 'headers', set: { 'content-encoding': 'gzip' } });
  await failure(source.manifest(X, V1), 'UPSTREAM_INVALID');
});

test('the path prefix of the URL is kept', async () => {
  await using registry = await startRegistry({ prefix: '/registry/one' });
  const { manifest } = registry.addImage('library/x', 'v1');
  for (const url of [registry.url, `${registry.url}/`, `${registry.url}/v2`]) {
    await using source = connect({ url });
    assert.equal((await source.resolve(X, V1)).descriptor.digest, manifest.digest);
  }
});

test('the length of a compressed answer to HEAD is not the size of the manifest', async () => {
  await using registry = await startRegistry();
  await using source = connect(registry);
  const { manifest } = registry.addImage('library/x', 'v1');
  const set = { 'content-encoding': 'gzip', 'content-length': '123' };
  registry.misbehave({ method: 'HEAD' }, { kind: 'headers', set });
  for (const at of [V1, manifest.digest]) {
    assert.equal((await source.resolve(X, at)).descriptor.size, manifest.size);
  }
  registry.misbehave({ method: 'GET' }, { kind: 'headers', set: { 'content-encoding': 'gzip' } });
  await failure(source.resolve(X, V1), 'UPSTREAM_INVALID');
});
