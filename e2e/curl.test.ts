import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { curl, type Curled } from './lib/curl.ts';
import { content, forThisHost, type Content } from './lib/image.ts';
import { NAMES, parts, SIGNATURE, world, type World } from './lib/world.ts';

const APP = 'quay.io/org/team/app:v1';

suite('curl, header by header', () => {
  let here: World;
  let blob: Content;
  before(async () => {
    here = await world();
    const [, , , noise] = here.shelf[APP].blobs;
    assert.ok(noise !== undefined);
    blob = noise;
  });
  after(() => here?.[Symbol.asyncDispose]());
  const get = (path: string, ...options: string[]): Promise<Curled> =>
    curl(here.scratch, here.layover.url + path, ...options);
  const blobPath = (at: Content): string => `/v2/quay.io/org/team/app/blobs/${at.digest}`;

  test('the base says which API this is', async () => {
    const answer = await get('/v2/');
    assert.equal(answer.status, 200);
    assert.equal(answer.headers['docker-distribution-api-version'], 'registry/2.0');
  });

  for (const name of NAMES) {
    test(`${name} by its prefix and by ns is the same manifest`, async () => {
      const { host, repository, tag } = parts(name);
      const image = here.shelf[name];
      const paths = [
        `/v2/${host}/${repository}/manifests/${tag}`,
        `/v2/${repository}/manifests/${tag}?ns=${host}`,
        `/v2/${host}/${repository}/manifests/${image.digest}?ns=${host}`,
      ];
      for (const path of paths) {
        const answer = await get(path);
        assert.equal(answer.status, 200, path);
        assert.deepEqual(answer.body, image.bytes);
        assert.equal(answer.headers['content-type'], image.mediaType);
        assert.equal(answer.headers['docker-content-digest'], image.digest);
        assert.equal(answer.headers['oci-namespace'], host);
        const head = await get(path, '--head');
        assert.equal(head.headers['content-length'], String(image.size));
        assert.equal(head.headers['docker-content-digest'], image.digest);
      }
    });
  }

  test('a name of one part without a host is an official image', async () => {
    const answer = await get('/v2/hello/manifests/v1');
    assert.deepEqual(answer.body, here.shelf['docker.io/library/hello:v1'].bytes);
  });

  for (const state of ['cold', 'warm']) {
    test(`a ${state} blob, every kind of range`, async () => {
      const { size } = blob;
      const ranges: readonly (readonly [string, number, number])[] = [
        ['0-0', 0, 1],
        ['500-1499', 500, 1500],
        [`${size - 10}-`, size - 10, size],
        ['-500', size - 500, size],
        [`${size - 5}-${size + 100}`, size - 5, size],
        ['0-', 0, size],
        [`-${size + 1}`, 0, size],
      ];
      for (const [range, from, to] of ranges) {
        const answer = await get(blobPath(blob), '--range', range);
        assert.equal(answer.status, 206, range);
        assert.equal(answer.headers['content-range'], `bytes ${from}-${to - 1}/${size}`);
        assert.equal(answer.headers['content-length'], String(to - from));
        assert.deepEqual(answer.body, blob.bytes.subarray(from, to), range);
      }
    });
  }

  test('a whole blob and its HEAD', async () => {
    const answer = await get(blobPath(blob));
    assert.equal(answer.status, 200);
    assert.equal(content('', answer.body).digest, blob.digest);
    const head = await get(blobPath(blob), '--head');
    assert.equal(head.headers['content-length'], String(blob.size));
    assert.equal(head.headers['accept-ranges'], 'bytes');
    assert.equal(head.headers['docker-content-digest'], blob.digest);
    assert.equal(head.headers['content-encoding'], undefined);
  });

  test('ranges beyond the end and backwards cannot be satisfied', async () => {
    for (const range of [`${blob.size}-`, `${blob.size + 5}-${blob.size + 10}`]) {
      const answer = await get(blobPath(blob), '--header', `Range: bytes=${range}`);
      assert.equal(answer.status, 416, range);
      assert.equal(answer.headers['content-range'], `bytes */${blob.size}`);
      assert.equal(answer.exit, 0, 'the announced length is the length of what came');
    }
  });

  test('several ranges come all or not at all', async () => {
    const answer = await get(blobPath(blob), '--range', '0-9,100-199');
    if (answer.status === 206) {
      assert.match(answer.headers['content-type'] ?? '', /^multipart\/byteranges/);
      assert.ok(answer.body.includes(Buffer.from(blob.bytes.subarray(100, 200))));
      assert.ok(answer.body.includes(Buffer.from(blob.bytes.subarray(0, 10))));
    } else {
      assert.equal(answer.status, 200);
      assert.equal(content('', answer.body).digest, blob.digest);
    }
  });

  test('a manifest that one has is not sent again', async () => {
    const path = '/v2/quay.io/org/team/app/manifests/v1';
    const { headers } = await get(path);
    const answer = await get(path, '--header', `If-None-Match: ${headers['etag']}`);
    assert.equal(answer.status, 304);
    assert.equal(answer.body.length, 0);
  });

  test('tags, and referrers that the upstream only knows by a tag', async () => {
    const tags = JSON.parse((await get('/v2/quay.io/org/team/app/tags/list')).body.toString());
    assert.ok(tags.tags.includes('v1'));
    const subject = forThisHost(here.shelf[APP]).digest;
    const answer = await get(`/v2/quay.io/org/team/app/referrers/${subject}`);
    assert.equal(answer.status, 200);
    assert.equal(answer.headers['content-type'], 'application/vnd.oci.image.index.v1+json');
    const { manifests } = JSON.parse(answer.body.toString());
    assert.equal(manifests.length, 1);
    assert.equal(manifests[0].digest, here.signature.digest);
    assert.equal(manifests[0].artifactType, SIGNATURE);
  });

  test('what is not there says so in the words of the specification', async () => {
    const cases: readonly (readonly [string, number, RegExp])[] = [
      ['/v2/quay.io/org/team/app/manifests/never', 404, /MANIFEST_UNKNOWN/],
      ['/v2/quay.io/org/none/manifests/v1', 404, /(MANIFEST|NAME)_UNKNOWN/],
      [`/v2/quay.io/org/team/app/blobs/sha256:${'0'.repeat(64)}`, 404, /BLOB_UNKNOWN/],
      ['/v2/quay.io/org/team/app/blobs/sha256:short', 400, /DIGEST_INVALID/],
      ['/v2/registry.example/org/app/manifests/v1', 404, /NAME_UNKNOWN/],
      ['/v2/org/app/manifests/v1?ns=registry.example', 404, /NAME_UNKNOWN/],
      ['/v2/quay.io/org/UPPER/manifests/v1', 400, /NAME_INVALID/],
    ];
    for (const [path, status, code] of cases) {
      const answer = await get(path);
      assert.equal(answer.status, status, path);
      assert.match(JSON.parse(answer.body.toString()).errors[0].code, code);
      assert.match(answer.headers['content-type'] ?? '', /^application\/json/);
    }
  });
});
