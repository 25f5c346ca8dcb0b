import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MEDIA_TYPES } from '../../src/core/media-type.ts';
import type { UpstreamEvent } from '../../src/upstream/event.ts';
import { nextLink } from '../../src/upstream/pages.ts';
import { startRegistry, type Registry } from '../fixtures/registry.ts';
import { connect, failure, testClock, X } from './support.ts';

const TAGS = /\/tags\/list/;
const INDEX = { 'content-type': MEDIA_TYPES.ociIndex };
/** A descriptor with everything that the specification knows. */
const ODD = {
  mediaType: MEDIA_TYPES.ociManifest,
  digest: `sha256:${'a'.repeat(64)}`,
  size: 7,
  urls: ['https://example.test/a'],
  annotations: { made: 'today' },
  data: 'e30=',
  platform: {
    os: 'windows',
    architecture: 'amd64',
    'os.version': '10.0',
    'os.features': ['win32k'],
  },
  artifactType: 'a/b',
};
const REFERRERS = /\/referrers\//;

/** The query of each request for tags. */
function askedTags(registry: Registry): readonly string[] {
  return registry.matching({ path: TAGS }).map(({ path }) => new URL(path, registry.url).search);
}

for (const prefix of ['', '/below/here']) {
  test(`tags are paged and sorted ${prefix}`, async () => {
    await using registry = await startRegistry({ prefix });
    await using source = connect(registry);
    const tags = Array.from({ length: 2_500 }, (_, index) => `t${index}`);
    for (const tag of ['B', 'a', ...tags]) registry.addImage('library/x', tag);
    const { items } = await source.tags(X);
    assert.deepEqual(items, ['B', 'a', ...tags].toSorted());
    assert.equal(registry.count({ path: TAGS }), 3);
    assert.ok(registry.requests.every(({ path }) => path.includes('n=1000')));
  });
}

for (const status of [400, 405, 413]) {
  test(`n refused with ${status}: asked again without`, async () => {
    await using registry = await startRegistry();
    await using source = connect(registry);
    registry.addImage('library/x', 'v1');
    registry.misbehave({ path: /[?]n=/ }, { kind: 'status', status, body: 'TOO_MANY_TAGS' });
    assert.deepEqual((await source.tags(X)).items, ['v1']);
    assert.deepEqual(askedTags(registry), ['?n=1000', '?n=100', '']);
    assert.deepEqual((await source.tags(X)).items, ['v1']);
    assert.deepEqual(askedTags(registry), ['?n=1000', '?n=100', '', '']);
  });
}

test('a page size that was refused is not asked for again, of that endpoint', async () => {
  await using registry = await startRegistry();
  await using mirror = await startRegistry();
  await using source = connect(registry, { mirrors: [mirror.url] });
  for (const each of [registry, mirror]) each.addImage('library/x', 'v1');
  registry.addImage('library/y', 'v2');
  mirror.misbehave({ path: /n=1000$/ }, { kind: 'status', status: 400 });
  assert.deepEqual((await source.tags(X)).items, ['v1']);
  assert.deepEqual(askedTags(mirror), ['?n=1000', '?n=100']);
  assert.deepEqual((await source.tags({ ...X, path: 'library/y' })).items, ['v2']);
  assert.deepEqual(askedTags(mirror), ['?n=1000', '?n=100', '?n=100']);
  assert.deepEqual(askedTags(registry), ['?n=1000']);
});

for (const [name, seconds, outcome] of [
  ['more than one budget', 20, 'listed'],
  ['more than all budgets', 400, 'refused'],
] as const) {
  test(`pages that take ${name} in all: ${outcome}`, async () => {
    await using registry = await startRegistry();
    const clock = testClock();
    const observe = ({ type }: UpstreamEvent): void => {
      if (type === 'request') clock.pass(seconds * 1_000);
    };
    await using source = connect(registry, { clock, observe });
    const tags = Array.from({ length: 3_500 }, (_, index) => `t${index}`);
    for (const tag of tags) registry.addImage('library/x', tag);
    const asked = source.tags(X);
    if (outcome === 'listed') assert.deepEqual((await asked).items, tags.toSorted());
    else await failure(asked, 'UPSTREAM_TIMEOUT');
    assert.equal(registry.count({ path: TAGS }), outcome === 'listed' ? 4 : 2);
  });
}

test('a million tags are listed, more are refused', async () => {
  await using registry = await startRegistry();
  await using source = connect(registry);
  const tags = Array.from({ length: 1_000_001 }, (_, index) => index.toString(36));
  const answer = (body: unknown) =>
    registry.misbehave({ times: 1 }, { kind: 'status', status: 200, body });
  answer({ tags: tags.slice(1) });
  assert.equal((await source.tags(X)).items.length, 1_000_000);
  answer({ tags });
  await failure(source.tags(X), 'UPSTREAM_INVALID');
});

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
  'in a circle': '</v2/library/x/tags/list?n=1000>; rel="next"',
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

for (const [name, answer] of Object.entries({
  'a web page': { body: '<html>' },
  'JSON of another kind': { body: {} },
  'a web page that is called an index': { body: '<html>', headers: INDEX },
})) {
  test(`instead of referrers ${name}: the fallback tag, or an error`, async () => {
    await using registry = await startRegistry();
    await using source = connect(registry);
    const { manifest } = registry.addImage('library/x', 'v1');
    registry.misbehave({ path: REFERRERS }, { kind: 'status', status: 200, ...answer });
    await failure(source.referrers(X, manifest.digest), 'UPSTREAM_INVALID');
    const { mediaType, digest, size } = manifest;
    registry.addIndex('library/x', digest.replace(':', '-'), [{ mediaType, digest, size }]);
    assert.deepEqual((await source.referrers(X, digest)).items, [{ mediaType, digest, size }]);
  });
}

test('referrers are what their bytes say, whatever type they come with', async () => {
  await using registry = await startRegistry();
  await using source = connect(registry);
  const { manifest } = registry.addImage('library/x', 'v1');
  const { mediaType, digest, size } = manifest;
  const body = { schemaVersion: 2, mediaType: MEDIA_TYPES.ociIndex, manifests: [ODD] };
  for (const headers of [INDEX, { 'content-type': 'application/json' }]) {
    const undo = registry.misbehave(
      { path: REFERRERS },
      { kind: 'status', status: 200, body, headers },
    );
    assert.deepEqual((await source.referrers(X, digest)).items, [ODD]);
    undo();
  }
  registry.misbehave({ path: REFERRERS }, { kind: 'status', status: 404 });
  registry.addIndex('library/x', digest.replace(':', '-'), [ODD, { mediaType, digest, size }]);
  assert.deepEqual((await source.referrers(X, digest)).items, [ODD, { mediaType, digest, size }]);
});

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
