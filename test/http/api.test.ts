import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { RegistryError } from '../../src/core/errors.ts';
import type { Repository } from '../../src/core/reference.ts';
import { serve, type Served } from './serve.ts';

const HUB: Repository = { host: 'docker.io', path: 'library/app' };
const QUAY: Repository = { host: 'quay.io', path: 'org/app' };
const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
const INDEX = 'application/vnd.oci.image.index.v1+json';
const ABSENT = `sha256:${'0'.repeat(64)}`;

function manifest(extra: object = {}): object {
  return { schemaVersion: 2, mediaType: MANIFEST, config: {}, layers: [], ...extra };
}

interface Document {
  readonly errors: readonly { readonly code: string; readonly message: string; detail?: unknown }[];
}

async function documentOf(response: Response): Promise<Document> {
  assert.equal(response.headers.get('content-type'), 'application/json');
  const text = await response.text();
  assert.equal(response.headers.get('content-length'), `${Buffer.byteLength(text)}`);
  const document = JSON.parse(text) as Document;
  assert.ok(document.errors.length > 0);
  return document;
}

async function codeOf(response: Response): Promise<string | undefined> {
  return (await documentOf(response)).errors[0]?.code;
}

/** Headers apart from those that differ from answer to answer. */
function lasting(response: Response): Record<string, string> {
  const passing = new Set(['date', 'x-request-id', 'connection', 'keep-alive']);
  return Object.fromEntries([...response.headers].filter(([name]) => !passing.has(name)));
}

async function served(): Promise<Served> {
  const mirror = await serve();
  mirror.source.putManifest(HUB, manifest(), 'v1', 'v2', 'V1', 'latest');
  mirror.source.putManifest(QUAY, manifest({ annotations: { a: 'b' } }), 'v1');
  return mirror;
}

suite('the base', () => {
  for (const path of ['/v2', '/v2/', '/quay.io/v2/', '/q/v2', '/v2/?ns=docker.io']) {
    test(`${path} says that this is a registry`, async () => {
      await using mirror = await serve();
      const response = await fetch(mirror.url + path);
      assert.equal(response.status, 200);
      assert.equal(response.headers.get('docker-distribution-api-version'), 'registry/2.0');
      assert.deepEqual(await response.json(), {});
    });
  }
  for (const path of ['/ghcr.io/v2/', '/v2/?ns=ghcr.io']) {
    test(`${path} is of a registry that is not mirrored`, async () => {
      await using mirror = await serve();
      const response = await fetch(mirror.url + path);
      assert.equal(response.status, 404);
      const { errors } = await documentOf(response);
      assert.match(errors[0]?.message ?? '', /upstreams\.ghcr\.io/);
    });
  }
});

suite('a manifest', () => {
  test('comes as it is, with everything that clients look for', async () => {
    await using mirror = await serve();
    mirror.source.served = { result: 'hit', ttl: 60 };
    const bytes = Buffer.from(`{ "schemaVersion": 2,\n "mediaType":"${MANIFEST}", "x": "é" }`);
    const { descriptor } = mirror.source.putManifestBytes(HUB, bytes, 'v1');
    for (const at of ['v1', descriptor.digest, descriptor.digest.replace(':', '%3A')]) {
      const response = await fetch(`${mirror.url}/v2/app/manifests/${at}`);
      assert.equal(response.status, 200);
      assert.deepEqual(lasting(response), {
        'cache-status': 'layover; hit; ttl=60',
        'content-length': `${bytes.length}`,
        'content-type': MANIFEST,
        'docker-content-digest': descriptor.digest,
        'docker-distribution-api-version': 'registry/2.0',
        etag: `"${descriptor.digest}"`,
        'oci-namespace': 'docker.io',
      });
      assert.deepEqual(Buffer.from(await response.arrayBuffer()), bytes);
      const head = await fetch(`${mirror.url}/v2/app/manifests/${at}`, { method: 'HEAD' });
      assert.equal(head.status, 200);
      assert.deepEqual(lasting(head), lasting(response));
    }
  });

  test('of four mebibytes comes whole', async () => {
    await using mirror = await serve();
    const big = manifest({ annotations: { filler: 'x'.repeat(4 * 1024 * 1024 - 200) } });
    const { bytes } = mirror.source.putManifest(HUB, big, 'big');
    const response = await fetch(`${mirror.url}/v2/app/manifests/big`);
    assert.ok(Buffer.from(await response.arrayBuffer()).equals(bytes));
  });

  const HEADERS: readonly (readonly [string, Record<string, string>])[] = [
    ['Accept for another type', { accept: 'application/vnd.docker.distribution.manifest.v2+json' }],
    ['Accept for anything', { accept: '*/*' }],
    ['Accept-Encoding', { 'accept-encoding': 'zstd;q=1.0, gzip;q=0.8' }],
    ['Range', { range: 'bytes=0-' }],
    ['Range of a part', { range: 'bytes=1-2' }],
    ['If-None-Match of something else', { 'if-none-match': `"${ABSENT}"` }],
  ];
  for (const [what, headers] of HEADERS) {
    test(`comes whole and unencoded in spite of ${what}`, async () => {
      await using mirror = await served();
      const response = await fetch(`${mirror.url}/v2/app/manifests/v1`, { headers });
      assert.equal(response.status, 200);
      assert.equal(response.headers.get('content-type'), MANIFEST);
      assert.equal(response.headers.get('content-encoding'), null);
      assert.deepEqual(await response.json(), manifest());
    });
  }

  for (const method of ['GET', 'HEAD']) {
    test(`that the client has already is 304 to ${method}`, async () => {
      await using mirror = await served();
      const digest = (await fetch(`${mirror.url}/v2/app/manifests/v1`)).headers.get(
        'docker-content-digest',
      );
      const response = await fetch(`${mirror.url}/v2/app/manifests/v1`, {
        method,
        headers: { 'if-none-match': `"${digest}"` },
      });
      assert.equal(response.status, 304);
      assert.equal(response.headers.get('etag'), `"${digest}"`);
      assert.equal(response.headers.get('content-length'), null);
      assert.equal(await response.text(), '');
    });
  }

  test('that is gone upstream comes with a warning', async () => {
    await using mirror = await served();
    mirror.source.served = { result: 'stale', detail: 'gone', warning: 'no longer "there"' };
    const response = await fetch(`${mirror.url}/v2/app/manifests/v1`);
    assert.equal(response.headers.get('warning'), '299 - "no longer \\"there\\""');
    assert.equal(response.headers.get('cache-status'), 'layover; fwd=stale; detail=gone');
  });

  test('to HEAD is resolved only', async () => {
    await using mirror = await served();
    await fetch(`${mirror.url}/v2/app/manifests/v1`, { method: 'HEAD' });
    assert.deepEqual(mirror.source.calls, ['resolve docker.io/library/app v1']);
  });
});

const ROUTES: readonly (readonly [string, Record<string, string>, string])[] = [
  ['/v2/library/app/manifests/v1?ns=docker.io', {}, 'docker.io/library/app'],
  ['/v2/org/app/manifests/v1?ns=quay.io', {}, 'quay.io/org/app'],
  ['/v2/org/app/manifests/v1', { 'x-registry': 'quay.io' }, 'quay.io/org/app'],
  ['/v2/quay.io/org/app/manifests/v1', {}, 'quay.io/org/app'],
  ['/quay.io/v2/org/app/manifests/v1', {}, 'quay.io/org/app'],
  ['/quay.io/v2/org/app/manifests/v1?ns=quay.io', {}, 'quay.io/org/app'],
  ['/v2/quay.io/org/app/manifests/v1?ns=quay.io', {}, 'quay.io/org/app'],
  ['/v2/docker.io/app/manifests/v1', {}, 'docker.io/library/app'],
  ['/v2/app/manifests/v1', {}, 'docker.io/library/app'],
];

suite('a name goes to its upstream', () => {
  for (const [path, headers, repository] of ROUTES) {
    test(`${path} ${JSON.stringify(headers)}`, async () => {
      await using mirror = await served();
      const response = await fetch(mirror.url + path, { headers });
      assert.equal(response.status, 200);
      assert.equal(response.headers.get('oci-namespace'), repository.split('/')[0]);
      assert.deepEqual(mirror.source.calls, [`manifest ${repository} v1`]);
    });
  }
});

const DIGEST = `sha256:${'a'.repeat(64)}`;
const REFUSED: readonly (readonly [string, string, number, string])[] = [
  ['GET', '/v2/App/manifests/v1', 400, 'NAME_INVALID'],
  ['GET', '/v2/a//b/manifests/v1', 400, 'NAME_INVALID'],
  ['GET', '/v2/a%2Fb/manifests/v1', 400, 'NAME_INVALID'],
  ['GET', `/v2/${'a/'.repeat(200)}a/manifests/v1`, 400, 'NAME_INVALID'],
  ['GET', '/v2/app/manifests/.v1', 400, 'TAG_INVALID'],
  ['GET', '/v2/app/manifests/sha256:abc', 400, 'DIGEST_INVALID'],
  ['GET', `/v2/app/manifests/sha256:${'A'.repeat(64)}`, 400, 'DIGEST_INVALID'],
  ['GET', '/v2/app/blobs/latest', 400, 'DIGEST_INVALID'],
  ['GET', `/v2/app/blobs/md5:${'a'.repeat(32)}`, 400, 'DIGEST_INVALID'],
  ['GET', '/v2/app/referrers/latest', 400, 'DIGEST_INVALID'],
  ['GET', '/v2/app/tags/list?n=x', 400, 'PAGINATION_NUMBER_INVALID'],
  ['GET', '/v2/app/tags/list?n=-1', 400, 'PAGINATION_NUMBER_INVALID'],
  ['GET', '/v2/app/tags/list?n=', 400, 'PAGINATION_NUMBER_INVALID'],
  ['GET', '/v2/_catalog?n=1.5', 400, 'PAGINATION_NUMBER_INVALID'],
  ['GET', '/v2/app/manifests/v1?ns=', 400, 'NAME_INVALID'],
  ['GET', '/v2/app/manifests/v1?ns=quay.io&ns=quay.io', 400, 'NAME_INVALID'],
  ['GET', '/v2/app/manifests/v1?ns=http%3A%2F%2F169.254.169.254', 400, 'NAME_INVALID'],
  ['GET', '/v2/app/manifests/v1?ns=169.254.169.254', 404, 'NAME_UNKNOWN'],
  ['GET', '/v2/ghcr.io/a/manifests/v1', 404, 'NAME_UNKNOWN'],
  ['GET', '/v2/app', 404, 'NOT_FOUND'],
  ['GET', '/v2/app/blobs/uploads/1', 404, 'BLOB_UPLOAD_UNKNOWN'],
  ['GET', '/elsewhere', 404, 'NOT_FOUND'],
  ['PUT', '/v2/app/manifests/v1', 405, 'UNSUPPORTED'],
  ['DELETE', '/v2/app/manifests/v1', 405, 'UNSUPPORTED'],
  ['POST', '/v2/app/blobs/uploads/', 405, 'UNSUPPORTED'],
  ['PATCH', '/v2/app/blobs/uploads/1', 405, 'UNSUPPORTED'],
  ['DELETE', `/v2/app/blobs/${DIGEST}`, 405, 'UNSUPPORTED'],
  ['OPTIONS', '/v2/', 405, 'UNSUPPORTED'],
];

suite('is refused without asking the source:', () => {
  for (const [method, path, status, code] of REFUSED) {
    test(`${method} ${path.slice(0, 60)} with ${status} ${code}`, async () => {
      await using mirror = await served();
      const body = method === 'PUT' || method === 'PATCH' ? { body: 'x'.repeat(100_000) } : {};
      const response = await fetch(mirror.url + path, { method, ...body });
      assert.equal(response.status, status);
      if (path.startsWith('/v2')) {
        assert.equal(response.headers.get('docker-distribution-api-version'), 'registry/2.0');
      }
      if (status === 405) assert.equal(response.headers.get('allow'), 'GET, HEAD');
      assert.equal(await codeOf(response), code);
      assert.deepEqual(mirror.source.calls, []);
    });
  }

  test('and a HEAD error has the same headers and no body', async () => {
    await using mirror = await served();
    const path = `${mirror.url}/v2/app/manifests/absent`;
    const [get, head] = [await fetch(path), await fetch(path, { method: 'HEAD' })];
    assert.equal(head.status, 404);
    assert.deepEqual(lasting(head), lasting(get));
    assert.equal(await head.text(), '');
  });
});

suite('an error of the source', () => {
  const FAULTS: readonly (readonly [unknown, number, string, Record<string, string>])[] = [
    [new RegistryError('MANIFEST_UNKNOWN'), 404, 'MANIFEST_UNKNOWN', {}],
    [
      new RegistryError('MANIFEST_UNKNOWN', 'remembered', { served: { result: 'negative' } }),
      404,
      'MANIFEST_UNKNOWN',
      { 'cache-status': 'layover; hit; detail=negative' },
    ],
    [new RegistryError('DENIED'), 403, 'DENIED', {}],
    [new RegistryError('UNAUTHORIZED'), 403, 'DENIED', {}],
    [new RegistryError('UPSTREAM_UNAVAILABLE'), 502, 'UPSTREAM_UNAVAILABLE', {}],
    [new RegistryError('UPSTREAM_TIMEOUT'), 504, 'UPSTREAM_TIMEOUT', {}],
    [
      new RegistryError('TOOMANYREQUESTS', undefined, { retryAfter: 1.2 }),
      429,
      'TOOMANYREQUESTS',
      { 'retry-after': '2' },
    ],
    [new RegistryError('TOOMANYREQUESTS'), 429, 'TOOMANYREQUESTS', { 'retry-after': '5' }],
    [new RegistryError('STORAGE_UNAVAILABLE'), 503, 'STORAGE_UNAVAILABLE', {}],
    [new TypeError('secret internals'), 500, 'UNKNOWN', {}],
    ['not even an error', 500, 'UNKNOWN', {}],
  ];
  for (const [fault, status, code, headers] of FAULTS) {
    test(`${String(fault)} is ${status} ${code}`, async () => {
      await using mirror = await served();
      mirror.source.fault = () => Promise.reject(fault);
      const response = await fetch(`${mirror.url}/v2/app/manifests/v1`);
      assert.equal(response.status, status);
      assert.equal(response.headers.get('www-authenticate'), null);
      for (const [name, value] of Object.entries(headers)) {
        assert.equal(response.headers.get(name), value);
      }
      const document = await documentOf(response);
      assert.equal(document.errors[0]?.code, code);
      assert.doesNotMatch(JSON.stringify(document), /secret|api\.test/);
      const [record] = await mirror.recorded(1);
      assert.equal(record?.failure?.code, code);
      if (status >= 500) assert.equal(record?.failure?.cause, fault);
    });
  }

  test('on a rate-limited upstream is 503 where that is configured', async () => {
    await using mirror = await serve({ whenRateLimited: 503 });
    mirror.source.fault = () =>
      Promise.reject(new RegistryError('TOOMANYREQUESTS', undefined, { retryAfter: 30 }));
    const response = await fetch(`${mirror.url}/v2/app/manifests/v1`);
    assert.equal(response.status, 503);
    assert.equal(response.headers.get('retry-after'), '30');
    assert.equal(await codeOf(response), 'RATE_LIMITED');
  });
});

suite('tags', () => {
  const PAGES: readonly (readonly [string, readonly string[], string | null])[] = [
    ['/v2/app/tags/list', ['V1', 'latest', 'v1', 'v2'], null],
    ['/v2/app/tags/list?n=1000', ['V1', 'latest', 'v1', 'v2'], null],
    ['/v2/app/tags/list?n=4', ['V1', 'latest', 'v1', 'v2'], null],
    ['/v2/app/tags/list?n=2', ['V1', 'latest'], '</v2/app/tags/list?n=2&last=latest>; rel="next"'],
    ['/v2/app/tags/list?n=2&last=latest', ['v1', 'v2'], null],
    ['/v2/app/tags/list?last=m', ['v1', 'v2'], null],
    ['/v2/app/tags/list?last=zzz&n=5', [], null],
    ['/v2/app/tags/list?n=0', [], null],
    [
      '/v2/app/tags/list?ns=docker.io&n=1',
      ['V1'],
      '</v2/app/tags/list?ns=docker.io&n=1&last=V1>; rel="next"',
    ],
    [
      '/docker.io/v2/app/tags/list?n=1&last=V1',
      ['latest'],
      '</docker.io/v2/app/tags/list?n=1&last=latest>; rel="next"',
    ],
  ];
  for (const [path, tags, link] of PAGES) {
    test(path, async () => {
      await using mirror = await served();
      const response = await fetch(mirror.url + path);
      assert.equal(response.status, 200);
      assert.equal(response.headers.get('link'), link);
      assert.deepEqual(await response.json(), { name: 'app', tags });
    });
  }

  test('are those of the name that was asked for', async () => {
    await using mirror = await served();
    const response = await fetch(`${mirror.url}/v2/quay.io/org/app/tags/list`);
    assert.deepEqual(await response.json(), { name: 'quay.io/org/app', tags: ['v1'] });
  });

  test('of nothing are NAME_UNKNOWN', async () => {
    await using mirror = await served();
    const response = await fetch(`${mirror.url}/v2/absent/tags/list`);
    assert.equal(response.status, 404);
    assert.equal(await codeOf(response), 'NAME_UNKNOWN');
  });
});

suite('referrers', () => {
  test('of anything unknown are an empty index', async () => {
    await using mirror = await served();
    const response = await fetch(`${mirror.url}/v2/absent/referrers/${ABSENT}`);
    assert.equal(response.status, 200);
    assert.equal(response.headers.get('content-type'), INDEX);
    assert.deepEqual(await response.json(), { schemaVersion: 2, mediaType: INDEX, manifests: [] });
  });

  test('come with type and annotations, filtered when asked to', async () => {
    await using mirror = await served();
    const subject = mirror.source.putManifest(HUB, manifest(), 'v1').descriptor;
    const attach = (extra: object) =>
      mirror.source.putManifest(HUB, manifest({ subject, ...extra })).descriptor;
    const signature = attach({ artifactType: 'a/signature', annotations: { by: 'me' } });
    const bill = attach({ config: { mediaType: 'a/bill' } });
    const path = `${mirror.url}/v2/app/referrers/${subject.digest}`;

    const all = await fetch(path);
    assert.equal(all.headers.get('oci-filters-applied'), null);
    const { manifests } = (await all.json()) as { manifests: unknown };
    assert.deepEqual(manifests, [
      { ...signature, artifactType: 'a/signature', annotations: { by: 'me' } },
      { ...bill, artifactType: 'a/bill' },
    ]);

    const some = await fetch(`${path}?artifactType=a%2Fbill`);
    assert.equal(some.headers.get('oci-filters-applied'), 'artifactType');
    assert.equal(some.headers.get('content-type'), INDEX);
    const filtered = (await some.json()) as { manifests: unknown };
    assert.deepEqual(filtered.manifests, [{ ...bill, artifactType: 'a/bill' }]);
  });
});

suite('the catalog', () => {
  test('is of everything, in pages', async () => {
    await using mirror = await serve();
    const first = await fetch(`${mirror.url}/v2/_catalog?n=1`);
    assert.deepEqual(await first.json(), { repositories: ['docker.io/a'] });
    assert.equal(first.headers.get('link'), '</v2/_catalog?n=1&last=docker.io%2Fa>; rel="next"');
    const second = await fetch(`${mirror.url}/v2/_catalog?n=1&last=docker.io%2Fa`);
    assert.deepEqual(await second.json(), { repositories: ['quay.io/b'] });
    assert.equal(second.headers.get('link'), null);
  });

  test('is of one upstream when one is named', async () => {
    await using mirror = await serve();
    const response = await fetch(`${mirror.url}/v2/_catalog?ns=quay.io`);
    assert.deepEqual(await response.json(), { repositories: ['b'] });
  });
});

suite('pages', () => {
  test('say what this is, and that it lives', async () => {
    await using mirror = await serve();
    assert.match(await (await fetch(`${mirror.url}/`)).text(), /^Layover.*\n$/);
    assert.equal((await fetch(`${mirror.url}/livez`)).status, 200);
    assert.equal((await fetch(`${mirror.url}/readyz`, { method: 'HEAD' })).status, 200);
  });

  for (const path of ['/', '/livez', '/readyz', '/metrics', '/nowhere']) {
    test(`${path} has the same headers for HEAD as for GET, the length among them`, async () => {
      await using mirror = await serve({
        metrics: {
          started: () => {},
          sent: () => {},
          ended: () => {},
          contentType: 'text/plain; version=0.0.4',
          render: async () => 'größe 1\n',
        },
      });
      const get = await fetch(mirror.url + path);
      const head = await fetch(mirror.url + path, { method: 'HEAD' });
      const { byteLength } = await get.arrayBuffer();
      assert.equal(get.headers.get('content-length'), `${byteLength}`);
      assert.equal(head.status, get.status);
      assert.deepEqual(lasting(head), lasting(get));
    });
  }

  test('say why it is not ready', async () => {
    await using mirror = await serve({ ready: async () => 'the store is gone' });
    const response = await fetch(`${mirror.url}/readyz`);
    assert.equal(response.status, 503);
    assert.equal(await response.text(), 'the store is gone\n');
    assert.equal((await fetch(`${mirror.url}/livez`)).status, 200);
  });

  test('that fail say nothing of why, but the log does', async () => {
    const fault = new Error('secret');
    await using mirror = await serve({ ready: () => Promise.reject(fault) });
    const response = await fetch(`${mirror.url}/readyz`);
    assert.equal(response.status, 500);
    assert.equal(await codeOf(response), 'UNKNOWN');
    const [record] = await mirror.recorded(1);
    assert.equal(record?.failure?.cause, fault);
  });
});
