import assert from 'node:assert/strict';
import { test } from 'node:test';
import { serve } from './serve.ts';

const ID = '0123456789abcdef0123456789abcdef';
const NAME = `layover-doctor/${ID}`;

interface Seen {
  readonly seen: readonly {
    readonly at: string;
    readonly upstream?: string;
    readonly ns?: string;
    readonly via?: string;
    readonly userAgent?: string;
    readonly client?: string;
  }[];
}

const seenBy = async (url: string): Promise<Seen['seen']> =>
  ((await (await fetch(`${url}/api/v1/probes/${ID}`)).json()) as Seen).seen;

test('a probe is answered 404 without asking anybody, and told to whoever made it', async () => {
  await using here = await serve();
  assert.deepEqual(await seenBy(here.url), []);
  for (const path of [
    `/v2/${NAME}/manifests/probe?ns=quay.io`,
    `/v2/quay.io/${NAME}/manifests/probe`,
    `/v2/${NAME}/manifests/probe`,
  ]) {
    const headers = { 'User-Agent': 'tester/1', Via: '1.1 squid' };
    const response = await fetch(`${here.url}${path}`, { headers });
    assert.equal(response.status, 404);
    const { errors } = (await response.json()) as { errors: { code: string }[] };
    assert.equal(errors[0]?.code, 'MANIFEST_UNKNOWN');
  }
  const seen = await seenBy(here.url);
  assert.deepEqual(
    seen.map(({ upstream, ns, via, userAgent }) => [upstream, ns, via, userAgent]),
    [
      ['quay.io', 'quay.io', '1.1 squid', 'tester/1'],
      ['quay.io', undefined, '1.1 squid', 'tester/1'],
      ['docker.io', undefined, '1.1 squid', 'tester/1'],
    ],
  );
  assert.equal(seen[0]?.client, '127.0.0.1');
  assert.ok(Math.abs(Date.parse(seen[0]?.at ?? '') - Date.now()) < 60_000);
  const counted = /layover_cache_requests_total\{[^}]*\} [1-9]/;
  assert.doesNotMatch(await here.metrics.render(), counted);
});

test('a probe for a registry that is not mirrored is seen to have arrived', async () => {
  await using here = await serve();
  const response = await fetch(`${here.url}/v2/${NAME}/manifests/probe?ns=elsewhere.io`);
  assert.equal(response.status, 404);
  const [sighting] = await seenBy(here.url);
  assert.equal(sighting?.ns, 'elsewhere.io');
  assert.equal(sighting?.upstream, undefined);
});

test('however often it is asked for, and whatever is said with it, little is kept', async () => {
  await using here = await serve();
  const headers = { 'User-Agent': 'x'.repeat(8000) };
  for (let count = 0; count < 20; count += 1) {
    await fetch(`${here.url}/v2/${NAME}/manifests/probe`, { headers });
  }
  const seen = await seenBy(here.url);
  assert.equal(seen.length, 16);
  assert.equal(seen[0]?.userAgent?.length, 256);
});

test('the mirror says which registries it has, and nothing of where they are', async () => {
  const known = {
    version: '1.2.3',
    defaultUpstream: 'docker.io',
    upstreams: [{ host: 'docker.io', aliases: ['index.docker.io'] }],
  };
  await using here = await serve({ known: () => known });
  const response = await fetch(`${here.url}/api/v1/upstreams`);
  assert.match(response.headers.get('content-type') ?? '', /^application\/json/);
  assert.deepEqual(await response.json(), known);
  await using silent = await serve();
  assert.equal((await fetch(`${silent.url}/api/v1/upstreams`)).status, 404);
});
