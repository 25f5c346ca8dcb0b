import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MEDIA_TYPES } from '../../src/core/media-type.ts';
import { nextLink } from '../../src/upstream/pages.ts';
import { startRegistry } from '../fixtures/registry.ts';
import { connect, failure, X } from './support.ts';

const TAGS = /\/tags\/list/;
const REFERRERS = /\/referrers\//;

for (const prefix of ['', '/below/here']) {
  test(`tags are paged and sorted ${prefix}`, async () => {
    await using registry = await startRegistry({ prefix });
    await using source = connect(registry);
    const tags = Array.from({ length: 250 }, (_, index) => `t${index}`);
    for (const tag of ['B', 'a', ...tags]) registry.addImage('library/x', tag);
    const { items } = await source.tags(X);
    assert.deepEqual(items, ['B', 'a', ...tags].toSorted());
    assert.equal(registry.count({ path: TAGS }), 3);
    assert.ok(registry.requests.every(({ path }) => path.includes('n=100')));
  });
}

for (const status of [400, 405, 413]) {
  test(`n refused with ${status}: asked again without`, async () => {
    await using registry = await startRegistry();
    await using source = connect(registry);
    registry.addImage('library/x', 'v1');
    registry.misbehave({ path: /[?]n=/ }, { kind: 'status', status, body: 'TOO_MANY_TAGS' });
    assert.deepEqual((await source.tags(X)).items, ['v1']);
  });
}

test('doubles and what is no tag are left out; null is no tags', async () => {
  await using registry = await startRegistry();
  await using source = connect(registry);
  const body = { name: 'x', tags: ['b', 'a', 'b', '../x', '', 7, null] };
  registry.misbehave({ times: 1 }, { kind: 'status', status: 200, body });
  assert.deepEqual((await source.tags(X)).items, ['a', 'b']);
  registry.misbehave({ times: 1 }, { kind: 'status', status: 200, body: { tags: null } });
  assert.deepEqual((await source.tags(X)).items, []);
  registry.misbehave({ times: 1 }, { kind: 'status', status: 200, body: { tags: 'x' } });
  await failure(source.tags(X), 'UPSTREAM_INVALID');
  await failure(source.tags(X), 'NAME_UNKNOWN');
});

for (const [name, link] of Object.entries({
  'in a circle': '</v2/library/x/tags/list?n=100>; rel="next"',
  'to another host': '<http://127.0.0.2:1/v2/library/x/tags/list?last=x>; rel="next"',
})) {
  test(`pages that lead ${name} are refused`, async () => {
    await using registry = await startRegistry();
    await using source = connect(registry);
    registry.addImage('library/x', 'v1');
    registry.misbehave({ path: TAGS }, { kind: 'headers', set: { link } });
    await failure(source.tags(X), 'UPSTREAM_INVALID');
    assert.equal(registry.requests.length, 1);
  });
}

test('an absolute link with the wrong scheme is followed on our own connection', async () => {
  await using registry = await startRegistry();
  await using source = connect(registry);
  registry.addImage('library/x', 'a');
  registry.addImage('library/x', 'b');
  const link = `<https://${registry.host}/v2/library/x/tags/list?last=a>; rel=next`;
  registry.misbehave({ path: TAGS, times: 1 }, { kind: 'headers', set: { link } });
  assert.deepEqual((await source.tags(X)).items, ['a', 'b']);
  assert.equal(registry.requests.at(-1)?.path, '/v2/library/x/tags/list?last=a');
});

test('links are told apart by their relation', () => {
  assert.equal(nextLink('</a>; rel="prev", </b>; rel="next"'), '/b');
  assert.equal(nextLink('</a?x=1,2>; title="a, b"; rel="last next"'), '/a?x=1,2');
  assert.equal(nextLink('</a>; REL=next'), '/a');
  assert.equal(nextLink('</a>'), '/a');
  assert.equal(nextLink('</a>; rel="prev"'), undefined);
  assert.equal(nextLink(undefined), undefined);
});

test('referrers come from the API, with type and annotations', async () => {
  await using registry = await startRegistry();
  await using source = connect(registry);
  const { manifest } = registry.addImage('library/x', 'v1');
  const { mediaType, digest, size } = manifest;
  const annotations = { made: 'today' };
  const referrer = registry.addImage('library/x', undefined, {
    manifest: { subject: { mediaType, digest, size }, artifactType: 'a/b', annotations },
  });
  const { items } = await source.referrers(X, digest);
  assert.deepEqual(items, [
    {
      mediaType,
      digest: referrer.manifest.digest,
      size: referrer.manifest.size,
      artifactType: 'a/b',
      annotations,
    },
  ]);
});

for (const [name, behaviour] of Object.entries({
  'plain 404': { kind: 'status', status: 404, body: '404 page not found' },
  NAME_UNKNOWN: { kind: 'status', status: 404, body: { errors: [{ code: 'NAME_UNKNOWN' }] } },
  'a web page': { kind: 'status', status: 200, body: '<html>' },
  'JSON of another kind': { kind: 'status', status: 200, body: {} },
} as const)) {
  test(`no referrers API (${name}): the fallback tag, or nothing`, async () => {
    await using registry = await startRegistry();
    await using source = connect(registry);
    const { manifest } = registry.addImage('library/x', 'v1');
    registry.misbehave({ path: REFERRERS }, behaviour);
    assert.deepEqual((await source.referrers(X, manifest.digest)).items, []);
    const { mediaType, digest, size } = manifest;
    registry.addIndex('library/x', digest.replace(':', '-'), [{ mediaType, digest, size }]);
    assert.deepEqual((await source.referrers(X, digest)).items, [{ mediaType, digest, size }]);
  });
}

test('referrers that a page of somebody else denies are not taken for none', async () => {
  await using registry = await startRegistry();
  await using source = connect(registry);
  const { manifest } = registry.addImage('library/x', 'v1');
  const page = { kind: 'status', status: 404, body: '<html>not found</html>' } as const;
  registry.misbehave({ path: REFERRERS }, page);
  const undo = registry.misbehave({ path: /manifests/ }, page);
  const error = await failure(source.referrers(X, manifest.digest), 'MANIFEST_UNKNOWN');
  assert.equal(error.definitive, false);
  undo();
  assert.deepEqual((await source.referrers(X, manifest.digest)).items, []);
});

test('referrers that are denied are an error, not an empty list', async () => {
  await using registry = await startRegistry();
  await using source = connect(registry);
  const { manifest } = registry.addImage('library/x', 'v1');
  registry.misbehave({ path: REFERRERS }, { kind: 'status', status: 403 });
  await failure(source.referrers(X, manifest.digest), 'DENIED');
});

test('a mirror without a referrers API does not hide those of the upstream', async () => {
  await using registry = await startRegistry();
  await using mirror = await startRegistry();
  await using source = connect(registry, { mirrors: [mirror.url] });
  const { manifest } = registry.addImage('library/x', 'v1');
  const { mediaType, digest, size } = manifest;
  registry.addImage('library/x', undefined, {
    manifest: { subject: { mediaType, digest, size }, artifactType: 'a/b' },
  });
  mirror.addManifest('library/x', 'v1', manifest.bytes, MEDIA_TYPES.ociManifest);
  mirror.misbehave({ path: REFERRERS }, { kind: 'status', status: 404, body: 'no' });
  assert.equal((await source.referrers(X, digest)).items.length, 1);
});
