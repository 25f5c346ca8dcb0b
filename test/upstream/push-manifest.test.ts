import assert from 'node:assert/strict';
import { test } from 'node:test';
import { digestOf } from '../../src/core/digest.ts';
import { manifestOf, type Manifest } from '../../src/core/manifest.ts';
import { MEDIA_TYPES } from '../../src/core/media-type.ts';
import { parseTag } from '../../src/core/reference.ts';
import { startRegistry, type Registry } from '../fixtures/registry.ts';
import { connect, failure, V1, X } from './support.ts';

const PUT = { method: 'PUT', path: /\/manifests\// };
const forgetful = { kind: 'headers', set: { 'oci-subject': undefined } } as const;

const CONFIG = {
  mediaType: 'application/vnd.oci.empty.v1+json',
  digest: digestOf(Buffer.from('{}')),
  size: 2,
};

function manifest(extra: object = {}): Manifest {
  const value = {
    schemaVersion: 2,
    mediaType: MEDIA_TYPES.ociManifest,
    config: CONFIG,
    layers: [],
  };
  // Not how JSON.stringify would write it: the bytes have to stay as they are.
  return manifestOf(Buffer.from(JSON.stringify({ ...value, ...extra }, undefined, 3)), undefined);
}

function listed(registry: Registry, subject: Manifest): readonly Record<string, unknown>[] {
  const tag = subject.descriptor.digest.replace(':', '-');
  const index = registry.manifest('library/x', tag);
  return index === undefined ? [] : JSON.parse(Buffer.from(index.bytes).toString()).manifests;
}

test('a manifest is put byte for byte, with its type, under tag or digest', async () => {
  await using registry = await startRegistry();
  await using source = connect(registry);
  const made = manifest();
  await source.sink.manifest(X, V1, made);
  await source.sink.manifest(X, made.descriptor.digest, made);
  const stored = registry.manifest('library/x', 'v1');
  assert.deepEqual(stored?.bytes, Buffer.from(made.bytes));
  assert.deepEqual(
    registry.matching(PUT).map(({ headers, path }) => [headers['content-type'], path]),
    [
      [MEDIA_TYPES.ociManifest, '/v2/library/x/manifests/v1'],
      [MEDIA_TYPES.ociManifest, `/v2/library/x/manifests/${made.descriptor.digest}`],
    ],
  );
});

test('a manifest that is not what it is said to be is not sent', async () => {
  await using registry = await startRegistry();
  await using source = connect(registry);
  const [one, two] = [manifest(), manifest({ annotations: { a: 'b' } })];
  await failure(source.sink.manifest(X, two.descriptor.digest, one), 'DIGEST_INVALID');
  const lying = { ...one, descriptor: two.descriptor };
  await failure(source.sink.manifest(X, V1, lying), 'DIGEST_INVALID');
  assert.equal(registry.requests.length, 0);
});

test('the registry’s words on a refused manifest are passed on', async () => {
  await using registry = await startRegistry();
  await using source = connect(registry);
  const body = { errors: [{ code: 'MANIFEST_BLOB_UNKNOWN', message: 'blob unknown: sha256:abc' }] };
  registry.misbehave(PUT, { kind: 'status', status: 404, body });
  const error = await failure(source.sink.manifest(X, V1, manifest()), 'MANIFEST_BLOB_UNKNOWN');
  assert.match(error.message, /blob unknown: sha256:abc/);
});

test('the registry’s words on a manifest that it fails at are passed on, and it is asked again', async () => {
  await using registry = await startRegistry();
  await using source = connect(registry);
  const body = (code: string, message: string) => ({ errors: [{ code, message }] });
  const says = { code: 'MANIFEST_BLOB_UNKNOWN', message: 'blob unknown: sha256:abc' };
  const undo = registry.misbehave(PUT, {
    kind: 'status',
    status: 500,
    body: body(says.code, says.message),
  });
  const missing = await failure(source.sink.manifest(X, V1, manifest()), 'MANIFEST_BLOB_UNKNOWN');
  assert.match(
    missing.message,
    /refused it with 500 \(MANIFEST_BLOB_UNKNOWN blob unknown: sha256:abc\)$/,
  );
  assert.doesNotMatch(missing.message, /try again/);
  assert.ok(registry.count(PUT) > 1);
  undo();
  registry.misbehave(PUT, { kind: 'status', status: 503, body: body('UNKNOWN', 'no quorum') });
  const down = await failure(source.sink.manifest(X, V1, manifest()), 'UPSTREAM_UNAVAILABLE');
  assert.match(down.message, /answered 503; try again later \(UNKNOWN no quorum\)$/);
});

test('another digest in the answer is an error', async () => {
  await using registry = await startRegistry();
  await using source = connect(registry);
  const set = { 'docker-content-digest': digestOf(Buffer.from('other')) };
  registry.misbehave(PUT, { kind: 'headers', set });
  await failure(source.sink.manifest(X, V1, manifest()), 'UPSTREAM_INVALID');
});

test('a referrer is left to a registry that says it keeps the list', async () => {
  await using registry = await startRegistry();
  await using source = connect(registry);
  const subject = manifest();
  await source.sink.manifest(X, V1, manifest({ subject: subject.descriptor }));
  assert.deepEqual(listed(registry, subject), []);
  assert.equal(registry.requests.length, 1);
});

test('where it does not, the referrers tag is kept, and what others listed stays to the letter', async () => {
  await using registry = await startRegistry();
  await using source = connect(registry);
  registry.misbehave(PUT, forgetful);
  const subject = manifest();
  const known = { ...manifest({ a: 1 }).descriptor, platform: { os: 'linux' }, extra: true };
  const { digest } = subject.descriptor;
  registry.addIndex('library/x', digest.replace(':', '-'), [known]);
  const one = manifest({
    subject: subject.descriptor,
    artifactType: 'a/b',
    annotations: { n: '1' },
  });
  await source.sink.manifest(X, one.descriptor.digest, one);
  const entry = { ...one.descriptor, artifactType: 'a/b', annotations: { n: '1' } };
  assert.deepEqual(listed(registry, subject), [known, entry]);
  await source.sink.manifest(X, one.descriptor.digest, one);
  assert.deepEqual(listed(registry, subject), [known, entry]);
  const two = manifest({ subject: subject.descriptor });
  await source.sink.manifest(X, two.descriptor.digest, two);
  assert.equal(listed(registry, subject)[2]?.['artifactType'], CONFIG.mediaType);
});

test('many referrers at the same time are all listed in the end', async () => {
  await using registry = await startRegistry();
  await using source = connect(registry, { maxConnections: 16 });
  await using other = connect(registry, { maxConnections: 16 });
  registry.misbehave(PUT, forgetful);
  const subject = manifest();
  const referrers = [1, 2, 3, 4, 5, 6].map((n) => manifest({ subject: subject.descriptor, n }));
  await Promise.all(
    referrers.map((one, index) =>
      (index % 2 === 0 ? source : other).sink.manifest(X, one.descriptor.digest, one),
    ),
  );
  assert.equal(listed(registry, subject).length, 6);
});

test('something else under the referrers tag is left alone', async () => {
  await using registry = await startRegistry();
  await using source = connect(registry);
  registry.misbehave(PUT, forgetful);
  const subject = manifest();
  const tag = subject.descriptor.digest.replace(':', '-');
  const image = registry.addImage('library/x', tag).manifest;
  const one = manifest({ subject: subject.descriptor });
  await failure(source.sink.manifest(X, one.descriptor.digest, one), 'MANIFEST_INVALID');
  assert.equal(registry.manifest('library/x', tag)?.digest, image.digest);
});

test('a 404 that is not the registry’s word does not begin the list anew', async () => {
  await using registry = await startRegistry();
  await using source = connect(registry);
  registry.misbehave(PUT, forgetful);
  registry.misbehave(
    { method: 'GET', path: /manifests\/sha256-/ },
    { kind: 'status', status: 404, body: 'proxy' },
  );
  const one = manifest({ subject: manifest().descriptor });
  await failure(source.sink.manifest(X, one.descriptor.digest, one), 'MANIFEST_UNKNOWN');
  assert.equal(registry.count(PUT), 1);
});

test('a tag is removed alone where the registry can, else with its manifest, and that is said', async () => {
  await using registry = await startRegistry();
  await using source = connect(registry);
  const { manifest: image } = registry.addImage('library/x', 'v1');
  registry.tag('library/x', 'v2', image.digest);
  assert.deepEqual(await source.removeTag(X, V1), { what: 'tag' });
  assert.ok(registry.manifest('library/x', 'v2'));
  const deleted = { method: 'DELETE', path: /manifests\/v2/ };
  registry.misbehave(deleted, { kind: 'status', status: 400 });
  const removed = await source.removeTag(X, parseTag('v2'));
  assert.deepEqual(removed, { what: 'manifest', digest: image.digest });
  assert.equal(registry.manifest('library/x', image.digest), undefined);
  await failure(source.removeTag(X, V1), 'MANIFEST_UNKNOWN');
});

test('manifests and blobs are removed by digest; a referrer leaves its subject’s list', async () => {
  await using registry = await startRegistry();
  await using source = connect(registry);
  registry.misbehave(PUT, forgetful);
  const subject = manifest();
  const [one, two] = [1, 2].map((n) => manifest({ subject: subject.descriptor, n }));
  for (const each of [one!, two!]) await source.sink.manifest(X, each.descriptor.digest, each);
  await source.removeManifest(X, one!.descriptor.digest);
  assert.deepEqual(
    listed(registry, subject).map(({ digest }) => digest),
    [two!.descriptor.digest],
  );
  await failure(source.removeManifest(X, one!.descriptor.digest), 'MANIFEST_UNKNOWN');
  const blob = registry.addBlob('bytes', 'library/x');
  await source.removeBlob(X, blob);
  await failure(source.removeBlob(X, blob), 'BLOB_UNKNOWN');
});

test('a deletion whose answer was lost is done', async () => {
  await using registry = await startRegistry();
  await using source = connect(registry);
  const { manifest: image } = registry.addImage('library/x', 'v1');
  registry.misbehave({ method: 'DELETE', times: 1 }, { kind: 'lose-answer' });
  await source.removeManifest(X, image.digest);
  assert.equal(registry.count({ method: 'DELETE' }), 2);
  assert.equal(registry.manifest('library/x', image.digest), undefined);
});

test('a redirect that keeps the method is followed with the body and no credentials; others are not', async () => {
  await using registry = await startRegistry({ auth: { kind: 'bearer' } });
  await using other = await startRegistry({ address: '127.0.0.2' });
  await using source = connect(registry);
  const to = (path: string): string => other.url + path;
  const undo = registry.misbehave(PUT, { kind: 'redirect', to, status: 307 });
  const made = manifest();
  // From then on tokens are sent without being asked for.
  await source.check();
  await source.sink.manifest(X, V1, made);
  assert.ok(registry.matching(PUT)[0]?.headers.authorization);
  assert.deepEqual(other.manifest('library/x', 'v1')?.bytes, Buffer.from(made.bytes));
  const [put] = other.matching(PUT);
  assert.equal(put?.headers.authorization, undefined);
  assert.equal(put?.headers['content-type'], MEDIA_TYPES.ociManifest);
  undo();
  registry.misbehave(PUT, { kind: 'redirect', to, status: 302 });
  await failure(source.sink.manifest(X, V1, made), 'UPSTREAM_INVALID');
  assert.equal(other.count(PUT), 1);
});

test('many referrers at once, each with its turn, however many', async () => {
  await using registry = await startRegistry();
  await using source = connect(registry, { maxConnections: 64 });
  registry.misbehave(PUT, forgetful);
  const subject = manifest();
  const referrers = Array.from({ length: 30 }, (_, n) =>
    manifest({ subject: subject.descriptor, n }),
  );
  await Promise.all(referrers.map((one) => source.sink.manifest(X, one.descriptor.digest, one)));
  assert.equal(listed(registry, subject).length, 30);
});

test('where deletion is off that is what is said', async () => {
  await using registry = await startRegistry({ auth: { kind: 'bearer' } });
  await using source = connect(registry);
  const { manifest: image } = registry.addImage('library/x', 'v1');
  const body = { errors: [{ code: 'UNSUPPORTED', message: 'The operation is unsupported.' }] };
  registry.misbehave({ method: 'DELETE' }, { kind: 'status', status: 405, body });
  for (const removing of [
    () => source.removeManifest(X, image.digest),
    () => source.removeBlob(X, image.digest),
    () => source.removeTag(X, V1),
  ]) {
    const error = await failure(removing(), 'UNSUPPORTED');
    assert.match(error.message, /deletion is turned off/);
  }
});

test('where something else needs what is to be deleted that is what is said', async () => {
  await using registry = await startRegistry({ auth: { kind: 'bearer' } });
  await using source = connect(registry);
  const { manifest: image } = registry.addImage('library/x', 'v1');
  const body = { errors: [{ code: 'DENIED', message: 'an index lists it' }] };
  registry.misbehave({ method: 'DELETE' }, { kind: 'status', status: 405, body });
  for (const removing of [
    () => source.removeManifest(X, image.digest),
    () => source.removeBlob(X, image.digest),
  ]) {
    const error = await failure(removing(), 'DENIED');
    assert.match(error.message, /an index lists it/);
  }
});
