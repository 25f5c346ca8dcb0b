import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import * as fc from 'fast-check';
import { RegistryError } from '../../src/core/errors.ts';
import { parseReference, parseTarget, type Endpoint } from '../../src/http/name.ts';

const DIGEST = `sha256:${'a'.repeat(64)}`;

const ENDPOINTS: readonly (readonly [string, Endpoint, string?])[] = [
  ['/v2', { type: 'base' }],
  ['/v2/', { type: 'base' }],
  ['/v2/_catalog?n=3', { type: 'catalog' }],
  ['/v2/a/manifests/v1', { type: 'manifest', name: 'a', reference: 'v1' }],
  ['/v2/a/b/c/d/e/manifests/V1', { type: 'manifest', name: 'a/b/c/d/e', reference: 'V1' }],
  [`/v2/a/manifests/${DIGEST}`, { type: 'manifest', name: 'a', reference: DIGEST }],
  [
    `/v2/a/manifests/${DIGEST.replace(':', '%3A')}`,
    { type: 'manifest', name: 'a', reference: DIGEST },
  ],
  [`/v2/a/blobs/${DIGEST.replace(':', '%3a')}`, { type: 'blob', name: 'a', digest: DIGEST }],
  [`/v2/a/referrers/${DIGEST}`, { type: 'referrers', name: 'a', digest: DIGEST }],
  ['/v2/a/tags/list', { type: 'tags', name: 'a' }],
  ['/v2/a/blobs/uploads', { type: 'uploads', name: 'a' }],
  ['/v2/a/blobs/uploads/', { type: 'uploads', name: 'a' }],
  ['/v2/a/blobs/uploads/1-2', { type: 'upload', name: 'a', id: '1-2' }],
  // From the right: the words of the API are fine as parts of a name.
  ['/v2/a/manifests/tags/list', { type: 'tags', name: 'a/manifests' }],
  ['/v2/a/blobs/b/manifests/v1', { type: 'manifest', name: 'a/blobs/b', reference: 'v1' }],
  [
    '/v2/tags/list/manifests/manifests/v1',
    { type: 'manifest', name: 'tags/list/manifests', reference: 'v1' },
  ],
  ['/v2/v2/v2/manifests/v1', { type: 'manifest', name: 'v2/v2', reference: 'v1' }],
  ['/v2/quay.io/a/tags/list', { type: 'tags', name: 'quay.io/a' }],
  ['/v2/localhost:5000/a/tags/list', { type: 'tags', name: 'localhost:5000/a' }],
  // A mirror's path, as moby and containerd put it.
  ['/quay.io/v2/', { type: 'base' }, 'quay.io'],
  ['/quay.io/v2/a/tags/list?ns=quay.io', { type: 'tags', name: 'a' }, 'quay.io'],
  ['/localhost%3A5000/v2/a/tags/list', { type: 'tags', name: 'a' }, 'localhost:5000'],
  // Absolute form is for proxies, and has to be understood all the same.
  ['http://mirror:8080/v2/a/tags/list', { type: 'tags', name: 'a' }],
];

suite('a path', () => {
  for (const [url, endpoint, prefix] of ENDPOINTS) {
    test(`${url.slice(0, 60)} is ${endpoint.type}`, () => {
      const target = parseTarget(url);
      assert.deepEqual(target?.endpoint, endpoint);
      assert.equal(target?.prefix, prefix);
    });
  }
  for (const url of ['/', '/v1/', '/v22/x', '/livez', '/a/b/v2/x', '/metrics?x=/v2/', '*']) {
    test(`${url} is none of the API`, () => assert.equal(parseTarget(url), undefined));
  }
  for (const url of ['/v2/a', '/v2/a/', '/v2//', '/v2/a/tags', '/v2/a/tags/other', '/v2/_oci/x']) {
    test(`${url} is no endpoint`, () => {
      assert.throws(() => parseTarget(url), { code: 'NOT_FOUND' });
    });
  }
  for (const url of [
    '/v2/a%2Fb/manifests/v1',
    '/v2/a%2fb/manifests/v1',
    '/v2/a%5Cb/manifests/v1',
    '/v2/a%00/manifests/v1',
    '/v2/a%/manifests/v1',
    '/v2/a%ff/manifests/v1',
    '/%2e%2e%2fx/v2/',
  ]) {
    test(`${url} is refused`, () =>
      assert.throws(() => parseTarget(url), { code: 'NAME_INVALID' }));
  }
  test('keeps its dots and doubled slashes for the name grammar to refuse', () => {
    for (const name of ['..', 'a/../b', 'a//b', '%2e%2e', './a', '']) {
      const endpoint = parseTarget(`/v2/${name}/manifests/v1`)?.endpoint;
      assert.ok(endpoint?.type === 'manifest');
      assert.equal(endpoint.name, decodeURIComponent(name));
    }
  });
});

test('a manifest is asked for by digest when there is a colon, by tag otherwise', () => {
  assert.equal(parseReference(DIGEST), DIGEST);
  assert.equal(parseReference('v1.0_x-Y'), 'v1.0_x-Y');
  assert.throws(() => parseReference('sha256:abc'), { code: 'DIGEST_INVALID' });
  assert.throws(() => parseReference('.v1'), { code: 'TAG_INVALID' });
  assert.throws(() => parseReference('v'.repeat(129)), { code: 'TAG_INVALID' });
});

test('nothing that a client can send makes the parser throw anything else than a RegistryError', () => {
  const part = fc.oneof(
    fc.string(),
    fc.constantFrom('v2', 'manifests', 'blobs', 'tags', 'list', 'uploads', '..', '', '%2f', '%3A'),
  );
  fc.assert(
    fc.property(fc.array(part, { maxLength: 8 }), (parts) => {
      try {
        parseTarget(`/${parts.join('/')}`);
      } catch (error) {
        assert.ok(error instanceof RegistryError, String(error));
      }
    }),
    { numRuns: 2000 },
  );
});
