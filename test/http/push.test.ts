import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { suite, test } from 'node:test';
import { digestOf } from '../../src/core/digest.ts';
import { registry, type TestRegistry } from './registry.ts';

const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const BYTES = randomBytes(100_000);
const DIGEST = digestOf(BYTES);
const OTHER = digestOf(Buffer.from('other'));

function start({ url }: TestRegistry, query = ''): Promise<Response> {
  return fetch(`${url}/v2/own/app/blobs/uploads/${query}`, { method: 'POST' });
}

async function started(here: TestRegistry): Promise<string> {
  const response = await start(here);
  assert.equal(response.status, 202);
  return here.url + response.headers.get('location');
}

function send(
  method: 'PATCH' | 'PUT' | 'POST',
  url: string,
  body: Uint8Array,
  headers: Record<string, string> = {},
): Promise<Response> {
  return fetch(url, { method, body: new Uint8Array(body), headers });
}

/** One connection fewer than fetch would need: a body without a length. */
function stream(
  method: 'PATCH' | 'PUT',
  url: string,
  chunks: readonly Uint8Array[],
): Promise<Response> {
  return fetch(url, { method, body: ReadableStream.from(chunks), duplex: 'half' });
}

async function codeOf(response: Response): Promise<unknown> {
  assert.equal(response.headers.get('content-type'), 'application/json');
  const { errors } = (await response.json()) as { errors: readonly { code: string }[] };
  return errors[0]?.code;
}

async function blobOf(here: TestRegistry, digest: string = DIGEST): Promise<Buffer | number> {
  const response = await fetch(`${here.url}/v2/own/app/blobs/${digest}`);
  const bytes = Buffer.from(await response.arrayBuffer());
  return response.status === 200 ? bytes : response.status;
}

async function statusOf(url: string): Promise<readonly [number, string | null]> {
  const response = await fetch(url);
  return [response.status, response.headers.get('range')];
}

suite('an upload', () => {
  for (const path of ['/v2/own/app/blobs/uploads/', '/v2/own/app/blobs/uploads']) {
    test(`starts at ${path}`, async () => {
      await using here = await registry();
      const response = await fetch(here.url + path, { method: 'POST' });
      assert.equal(response.status, 202);
      const id = response.headers.get('docker-upload-uuid') ?? '';
      assert.match(id, UUID);
      assert.equal(response.headers.get('location'), `/v2/own/app/blobs/uploads/${id}`);
      assert.equal(response.headers.get('range'), '0-0');
      assert.equal(response.headers.get('content-length'), '0');
      assert.equal(response.headers.get('oci-namespace'), null);
    });
  }

  test('by POST and PUT is a blob at once', async () => {
    await using here = await registry();
    const response = await send('PUT', `${await started(here)}?digest=${DIGEST}`, BYTES);
    assert.equal(response.status, 201);
    assert.equal(response.headers.get('location'), `/v2/own/app/blobs/${DIGEST}`);
    assert.equal(response.headers.get('docker-content-digest'), DIGEST);
    assert.equal(response.headers.get('content-length'), '0');
    assert.deepEqual(await blobOf(here), BYTES);
  });

  test('comes in chunks, its end with the last PUT', async () => {
    await using here = await registry();
    const url = await started(here);
    const first = await send('PATCH', url, BYTES.subarray(0, 40_000), {
      'content-range': '0-39999',
    });
    assert.equal(first.status, 202);
    assert.equal(first.headers.get('range'), '0-39999');
    assert.equal(here.url + first.headers.get('location'), url);
    const rest = { 'content-range': '40000-99999' };
    const last = await send('PUT', `${url}?digest=${DIGEST}`, BYTES.subarray(40_000), rest);
    assert.equal(last.status, 201);
    assert.deepEqual(await blobOf(here), BYTES);
    assert.equal((await statusOf(url))[0], 404);
  });

  test('is streamed without a length, and closed without a body', async () => {
    await using here = await registry();
    const url = await started(here);
    const pieces = [BYTES.subarray(0, 7), BYTES.subarray(7, 60_000), BYTES.subarray(60_000)];
    const streamed = await stream('PATCH', url, pieces);
    assert.equal(streamed.status, 202);
    assert.equal(streamed.headers.get('range'), '0-99999');
    const closed = await fetch(`${url}?digest=${DIGEST}`, { method: 'PUT' });
    assert.equal(closed.status, 201);
    assert.deepEqual(await blobOf(here), BYTES);
  });

  test('of sha512 keeps its algorithm', async () => {
    await using here = await registry();
    const digest = digestOf(BYTES, 'sha512');
    const begun = await start(here, '?digest-algorithm=sha512');
    const url = here.url + begun.headers.get('location');
    const response = await send('PUT', `${url}?digest=${digest}`, BYTES);
    assert.equal(response.headers.get('docker-content-digest'), digest);
    assert.deepEqual(await blobOf(here, digest), BYTES);
    assert.equal(await blobOf(here), 404);
  });

  test('can be one POST, also of nothing', async () => {
    await using here = await registry();
    const post = (digest: string, bytes: Uint8Array) =>
      send('POST', `${here.url}/v2/own/app/blobs/uploads/?digest=${digest}`, bytes);
    assert.equal((await post(DIGEST, BYTES)).status, 201);
    assert.deepEqual(await blobOf(here), BYTES);
    const nothing = Buffer.alloc(0);
    assert.equal((await post(digestOf(nothing), nothing)).status, 201);
    assert.deepEqual(await blobOf(here, digestOf(nothing)), nothing);
    const wrong = await post(OTHER, BYTES);
    assert.equal(wrong.status, 400);
    assert.equal(await codeOf(wrong), 'DIGEST_INVALID');
    assert.equal(await blobOf(here, OTHER), 404);
  });

  for (const [claimed, range] of [
    ['later', '50000-99999'],
    ['earlier', '0-49999'],
  ] as const) {
    test(`refuses bytes that belong ${claimed}, and goes on`, async () => {
      await using here = await registry();
      const url = await started(here);
      await send('PATCH', url, BYTES.subarray(0, 10_000));
      for (const [method, target] of [
        ['PATCH', url],
        ['PUT', `${url}?digest=${DIGEST}`],
      ] as const) {
        const refused = await send(method, target, BYTES.subarray(0, 50_000), {
          'content-range': range,
        });
        assert.equal(refused.status, 416);
        assert.equal(await codeOf(refused), 'RANGE_INVALID');
        assert.equal(refused.headers.get('range'), '0-9999');
        assert.equal(here.url + refused.headers.get('location'), url);
      }
      assert.deepEqual(await statusOf(url), [204, '0-9999']);
      const rest = await send('PUT', `${url}?digest=${DIGEST}`, BYTES.subarray(10_000));
      assert.equal(rest.status, 201);
    });
  }

  for (const range of ['bytes', '5', '9-5', '-5', '0-', 'a-b', `0-${'9'.repeat(30)}`]) {
    test(`does not understand the Content-Range ${range}`, async () => {
      await using here = await registry();
      const url = await started(here);
      const refused = await send('PATCH', url, BYTES, { 'content-range': range });
      assert.equal(refused.status, 400);
      assert.equal(await codeOf(refused), 'BLOB_UPLOAD_INVALID');
      assert.deepEqual(await statusOf(url), [204, '0-0']);
    });
  }

  test('does not take a Content-Range of another length', async () => {
    await using here = await registry();
    const url = await started(here);
    const refused = await send('PATCH', url, BYTES, { 'content-range': '0-99' });
    assert.equal(refused.status, 400);
    assert.equal(await codeOf(refused), 'SIZE_INVALID');
    assert.deepEqual(await statusOf(url), [204, '0-0']);
  });

  test('is cancelled, and then unknown to every method', async () => {
    await using here = await registry();
    const url = await started(here);
    assert.equal((await fetch(url, { method: 'DELETE' })).status, 204);
    for (const method of ['GET', 'PATCH', 'PUT', 'DELETE'] as const) {
      const body = method === 'PATCH' || method === 'PUT' ? { body: new Uint8Array(BYTES) } : {};
      const gone = await fetch(`${url}?digest=${DIGEST}`, { method, ...body });
      assert.equal(gone.status, 404);
      assert.equal(await codeOf(gone), 'BLOB_UPLOAD_UNKNOWN');
    }
  });

  test('belongs to its repository, under its own name only', async () => {
    await using here = await registry();
    const url = await started(here);
    for (const other of [
      url.replace('/own/app/', '/own/other/'),
      `${url}0`,
      url.replace(/[^/]*$/, '..'),
      url.replace(/[^/]*$/, '00000000-0000-0000-0000-000000000000'),
      url.replace(/[^/]*$/, '%2e%2e'),
    ]) {
      const refused = await send('PUT', `${other}?digest=${DIGEST}`, BYTES);
      assert.ok([400, 404].includes(refused.status), `${other} ${refused.status}`);
      await refused.arrayBuffer();
    }
    assert.equal((await send('PUT', `${url}?digest=${DIGEST}&x=1`, BYTES)).status, 201);
  });

  test('without a digest, or with none that is one, is not closed', async () => {
    await using here = await registry();
    const url = await started(here);
    for (const query of ['', '?digest=', '?digest=sha256:abc', `?digest=md5:${'0'.repeat(32)}`]) {
      const refused = await send('PUT', url + query, BYTES);
      assert.equal(refused.status, 400, query);
      assert.equal(await codeOf(refused), 'DIGEST_INVALID');
    }
    assert.deepEqual(await statusOf(url), [204, '0-0']);
    const unknown = await start(here, '?digest-algorithm=md5');
    assert.equal(unknown.status, 400);
    assert.equal(await codeOf(unknown), 'DIGEST_INVALID');
  });

  test('larger than is allowed is refused before it is sent', async () => {
    await using here = await registry({ hosted: { maxSize: 1000 } });
    const refused = await send('PUT', `${await started(here)}?digest=${DIGEST}`, BYTES);
    assert.equal(refused.status, 413);
    assert.equal(await codeOf(refused), 'SIZE_INVALID');
    const streamed = await stream('PATCH', await started(here), [BYTES]);
    assert.equal(streamed.status, 413);
    assert.equal(await codeOf(streamed), 'SIZE_INVALID');
  });
});

suite('a mount', () => {
  const mount = async (here: TestRegistry, query: string) => {
    const url = `${here.url}/v2/own/other/blobs/uploads/?${query}`;
    const { status, headers } = await fetch(url, { method: 'POST' });
    return [status, headers.get('location')?.replace(/[^/]*$/, '')];
  };
  const placed = [201, '/v2/own/other/blobs/'];
  const upload = [202, '/v2/own/other/blobs/uploads/'];
  for (const [query, expected] of [
    [`mount=${DIGEST}&from=own/app`, placed],
    [`mount=${DIGEST}`, placed],
    [`mount=${DIGEST}&from=`, placed],
    [`mount=${DIGEST}&from=own/empty`, upload],
    [`mount=${DIGEST}&from=mirrored/app`, upload],
    [`mount=${DIGEST}&from=NOT/A/NAME`, upload],
    [`mount=${DIGEST}&from=nowhere.example/app`, upload],
    [`mount=${OTHER}&from=own/app`, upload],
    [`mount=${OTHER}`, upload],
    ['mount=', upload],
  ] as const) {
    test(`${query.replaceAll(/[0-9a-f]{60}/g, '…')} is ${expected[0]}`, async () => {
      await using here = await registry();
      await send('PUT', `${await started(here)}?digest=${DIGEST}`, BYTES);
      assert.deepEqual(await mount(here, query), expected);
      const there = await fetch(`${here.url}/v2/own/other/blobs/${DIGEST}`);
      assert.equal(there.status, expected === placed ? 200 : 404);
      await there.arrayBuffer();
    });
  }
  test('of what is no digest is refused', async () => {
    await using here = await registry();
    assert.deepEqual(await mount(here, 'mount=sha256:abc&from=own/app'), [400, undefined]);
  });
});

interface Put {
  readonly at: string;
  readonly bytes: Uint8Array;
  readonly type?: string;
}

function put(here: TestRegistry, { at, bytes, type = MANIFEST }: Put): Promise<Response> {
  return send('PUT' as const, `${here.url}/v2/own/app/manifests/${at}`, bytes, {
    'content-type': type,
  });
}

/** A manifest of an artifact without layers, as long as asked for. */
function artifact(more: object = {}): Uint8Array {
  const config = { mediaType: 'application/vnd.oci.empty.v1+json', digest: DIGEST, size: 100_000 };
  return Buffer.from(
    JSON.stringify({ schemaVersion: 2, mediaType: MANIFEST, config, layers: [], ...more }, null, 1),
  );
}

async function withBlob(): Promise<TestRegistry> {
  const here = await registry();
  await send('PUT', `${await started(here)}?digest=${DIGEST}`, BYTES);
  return here;
}

suite('a manifest', () => {
  test('by tag is there at once under tag and digest, byte for byte', async () => {
    await using here = await withBlob();
    const bytes = artifact();
    const response = await put(here, { at: 'v1', bytes });
    assert.equal(response.status, 201);
    assert.equal(response.headers.get('docker-content-digest'), digestOf(bytes));
    assert.equal(response.headers.get('location'), `/v2/own/app/manifests/${digestOf(bytes)}`);
    assert.equal(response.headers.get('oci-tag'), null);
    assert.equal(response.headers.get('oci-subject'), null);
    for (const at of ['v1', digestOf(bytes)]) {
      const pulled = await fetch(`${here.url}/v2/own/app/manifests/${at}`);
      assert.deepEqual(Buffer.from(await pulled.arrayBuffer()), bytes);
      assert.equal(pulled.headers.get('content-type'), MANIFEST);
      assert.equal(pulled.headers.get('docker-content-digest'), digestOf(bytes));
    }
  });

  test('by digest takes tags along, and says which', async () => {
    await using here = await withBlob();
    const bytes = artifact();
    const tags = Array.from({ length: 12 }, (_, at) => `t${at}`);
    const query = [...tags, 't0'].map((tag) => `tag=${tag}`).join('&');
    const response = await put(here, { at: `${digestOf(bytes, 'sha512')}?${query}`, bytes });
    assert.equal(response.status, 201);
    assert.equal(response.headers.get('oci-tag'), tags.join(', '));
    const listed = await fetch(`${here.url}/v2/own/app/tags/list`);
    assert.deepEqual(await listed.json(), { name: 'own/app', tags: tags.toSorted() });
    const pulled = await fetch(`${here.url}/v2/own/app/manifests/t7`, { method: 'HEAD' });
    assert.equal(pulled.headers.get('docker-content-digest'), digestOf(bytes, 'sha512'));
  });

  test('with a subject says so, and is among its referrers', async () => {
    await using here = await withBlob();
    const subject = { mediaType: MANIFEST, digest: OTHER, size: 5 };
    const bytes = artifact({ subject, artifactType: 'a/b', annotations: { x: 'y' } });
    const response = await put(here, { at: digestOf(bytes), bytes });
    assert.equal(response.headers.get('oci-subject'), OTHER);
    for (const [query, count] of [
      ['', 1],
      ['?artifactType=a/b', 1],
      ['?artifactType=b/c', 0],
    ] as const) {
      const listed = await fetch(`${here.url}/v2/own/app/referrers/${OTHER}${query}`);
      const { manifests } = (await listed.json()) as { manifests: readonly object[] };
      assert.equal(manifests.length, count);
      assert.equal(listed.headers.get('oci-filters-applied'), (query && 'artifactType') || null);
    }
  });

  test('with many referrers has them in pages, by number and by size', async () => {
    await using here = await withBlob();
    const subject = { mediaType: MANIFEST, digest: OTHER, size: 5 };
    const expected = new Set<string>();
    for (let at = 0; at < 6; at += 1) {
      const annotations = { at: `${at}`, pad: 'x'.repeat(1_000_000) };
      const bytes = artifact({ subject, artifactType: at === 0 ? 'a/other' : 'a/b', annotations });
      assert.equal((await put(here, { at: digestOf(bytes), bytes })).status, 201);
      if (at > 0) expected.add(digestOf(bytes));
    }
    for (const [query, sizes] of [
      ['artifactType=a/b', [4, 1]],
      ['artifactType=a/b&n=2', [2, 2, 1]],
      ['artifactType=a/b&n=0', [0]],
      ['artifactType=a/c', [0]],
    ] as const) {
      const pages: string[][] = [];
      let next: string | undefined = `/v2/own/app/referrers/${OTHER}?${query}`;
      while (next !== undefined) {
        const response: Response = await fetch(here.url + next);
        assert.equal(response.headers.get('oci-filters-applied'), 'artifactType');
        const text = await response.text();
        assert.ok(text.length <= 4 * 1024 * 1024);
        const { manifests } = JSON.parse(text) as { manifests: readonly { digest: string }[] };
        pages.push(manifests.map(({ digest }) => digest));
        next = response.headers.get('link')?.match(/^<(.*)>; rel="next"$/)?.[1];
      }
      assert.deepEqual(
        pages.map((page) => page.length),
        sizes,
      );
      if (pages.flat().length > 0) assert.deepEqual(new Set(pages.flat()), expected);
    }
  });

  test('of 4 MiB is taken, of a byte more not', async () => {
    await using here = await withBlob();
    const room = 4 * 1024 * 1024 - artifact({ annotations: { pad: '' } }).length;
    for (const [more, status] of [
      [0, 201],
      [1, 413],
    ] as const) {
      const bytes = artifact({ annotations: { pad: 'x'.repeat(room + more) } });
      const response = await put(here, { at: 'large', bytes });
      assert.equal(response.status, status);
      if (status === 413) assert.equal(await codeOf(response), 'SIZE_INVALID');
      const url = `${here.url}/v2/own/app/manifests/streamed`;
      const streamed = await stream('PUT', url, [bytes.subarray(0, 1000), bytes.subarray(1000)]);
      assert.equal(streamed.status, status);
      await streamed.arrayBuffer();
    }
  });

  for (const [what, at, bytes, code] of [
    ['not JSON', 'v1', Buffer.from('no'), 'MANIFEST_INVALID'],
    ['of nothing', 'v1', Buffer.alloc(0), 'MANIFEST_INVALID'],
    ['under a wrong digest', OTHER, artifact(), 'DIGEST_INVALID'],
    ['under what is no digest', 'sha256:abc', artifact(), 'DIGEST_INVALID'],
    ['under what is no tag', '-v1', artifact(), 'TAG_INVALID'],
    ['with another tag that is none', `${digestOf(artifact())}?tag=-v1`, artifact(), 'TAG_INVALID'],
    ['of another type than it says', 'v1', artifact({ mediaType: 'a/b' }), 'MANIFEST_INVALID'],
  ] as const) {
    test(`${what} is refused`, async () => {
      await using here = await withBlob();
      const response = await put(here, { at, bytes });
      assert.equal(response.status, 400);
      assert.equal(await codeOf(response), code);
      const listed = await fetch(`${here.url}/v2/own/app/tags/list`);
      if (listed.status === 200)
        assert.deepEqual(await listed.json(), { name: 'own/app', tags: [] });
    });
  }

  test('that needs what is missing is refused', async () => {
    await using here = await registry();
    const response = await put(here, { at: 'v1', bytes: artifact() });
    assert.equal(response.status, 404);
    assert.equal(await codeOf(response), 'MANIFEST_BLOB_UNKNOWN');
  });
});

suite('deletion', () => {
  const remove = async (here: TestRegistry, path: string) =>
    (await fetch(`${here.url}/v2/own/app/${path}`, { method: 'DELETE' })).status;
  const look = async (here: TestRegistry, path: string) =>
    (await fetch(`${here.url}/v2/own/app/${path}`, { method: 'HEAD' })).status;

  test('of a tag leaves the others and the manifest', async () => {
    await using here = await withBlob();
    const bytes = artifact();
    await put(here, { at: 'a', bytes });
    await put(here, { at: 'b', bytes });
    assert.equal(await remove(here, 'manifests/a'), 202);
    assert.equal(await look(here, 'manifests/a'), 404);
    assert.equal(await look(here, 'manifests/b'), 200);
    assert.equal(await remove(here, 'manifests/a'), 404);
  });

  test('of what a manifest lists is refused, and says why', async () => {
    await using here = await withBlob();
    const bytes = artifact();
    await put(here, { at: 'a', bytes });
    const digest = digestOf(bytes);
    const type = 'application/vnd.oci.image.index.v1+json';
    const manifests = [{ mediaType: MANIFEST, digest, size: bytes.length }];
    const index = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: type, manifests }));
    assert.equal((await put(here, { at: 'multi', bytes: index, type })).status, 201);
    for (const [path, allow] of [
      [`manifests/${digest}`, 'GET, HEAD, PUT'],
      [`blobs/${DIGEST}`, 'GET, HEAD'],
    ] as const) {
      const refused = await fetch(`${here.url}/v2/own/app/${path}`, { method: 'DELETE' });
      assert.equal(refused.status, 405);
      assert.equal(refused.headers.get('allow'), allow);
      assert.equal(await codeOf(refused), 'DENIED');
    }
    assert.equal(await remove(here, `manifests/${digestOf(index)}`), 202);
    assert.equal(await remove(here, `manifests/${digest}`), 202);
  });

  test('of a manifest takes its tags, and its blob can go then; both can come back', async () => {
    await using here = await withBlob();
    const bytes = artifact();
    for (const round of [1, 2]) {
      assert.equal((await put(here, { at: 'a', bytes })).status, 201, `round ${round}`);
      assert.equal(await remove(here, `manifests/${digestOf(bytes)}`), 202);
      assert.equal(await look(here, 'manifests/a'), 404);
      assert.equal(await look(here, `manifests/${digestOf(bytes)}`), 404);
      assert.equal(await remove(here, `blobs/${DIGEST}`), 202);
      assert.equal(await look(here, `blobs/${DIGEST}`), 404);
      assert.equal(await remove(here, `blobs/${DIGEST}`), 404);
      await send('PUT', `${await started(here)}?digest=${DIGEST}`, BYTES);
    }
  });
});

suite('writing', () => {
  for (const [method, path] of [
    ['POST', 'blobs/uploads/'],
    ['PATCH', 'blobs/uploads/6f8a2bb0-0000-4000-8000-000000000000'],
    ['PUT', 'manifests/v1'],
    ['DELETE', 'manifests/v1'],
    ['DELETE', `blobs/${DIGEST}`],
  ] as const) {
    test(`${method} ${path.slice(0, 14)} to a mirrored repository is not supported`, async () => {
      await using here = await registry();
      for (const name of ['library/app', 'docker.io/library/app']) {
        const response = await fetch(`${here.url}/v2/${name}/${path}`, { method });
        assert.equal(response.status, 405);
        assert.equal(response.headers.get('allow'), 'GET, HEAD');
        assert.equal(await codeOf(response), 'UNSUPPORTED');
      }
    });
    test(`${method} ${path.slice(0, 14)} to what is no name is refused`, async () => {
      await using here = await registry();
      const response = await fetch(`${here.url}/v2/own/Bad/${path}`, { method });
      assert.equal(response.status, 400);
      assert.equal(await codeOf(response), 'NAME_INVALID');
    });
  }
  for (const [method, path, allow] of [
    ['PUT', '', 'GET, HEAD'],
    ['DELETE', '_catalog', 'GET, HEAD'],
    ['GET', 'own/app/blobs/uploads/', 'POST'],
    ['POST', 'own/app/manifests/v1', 'GET, HEAD, PUT, DELETE'],
    ['PUT', `own/app/blobs/${DIGEST}`, 'GET, HEAD, DELETE'],
    ['DELETE', 'own/app/tags/list', 'GET, HEAD'],
    ['POST', `own/app/referrers/${DIGEST}`, 'GET, HEAD'],
  ] as const) {
    test(`${method} /v2/${path.slice(0, 20)} is not among ${allow}`, async () => {
      await using here = await registry();
      const response = await fetch(`${here.url}/v2/${path}`, { method });
      assert.equal(response.status, 405);
      assert.equal(response.headers.get('allow'), allow);
      assert.equal(await codeOf(response), 'UNSUPPORTED');
    });
  }
});
