import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gate } from '../fixtures/gate.ts';
import { world } from '../fixtures/mirror-world.ts';
import { serve } from './serve.ts';

const REPOSITORY = { host: 'docker.io', path: 'library/x' };

/** Milliseconds. */
const PATIENCE = 40;

const LIMIT = { timeout: 20_000 };

test('whoever waits too long for content is told so, once, and holds nothing', LIMIT, async () => {
  await using mirror = await serve({ patience: PATIENCE });
  const { source } = mirror;
  const digest = source.putBlob(REPOSITORY, Buffer.from('content'));
  source.putManifest(REPOSITORY, { schemaVersion: 2, config: {}, layers: [] }, 'v1');
  const asked = [
    { path: 'manifests/v1', method: 'HEAD' },
    { path: 'manifests/v1', method: 'GET' },
    { path: `blobs/${digest}`, method: 'HEAD' },
    { path: `blobs/${digest}`, method: 'GET' },
    { path: `blobs/${digest}`, method: 'GET', headers: { range: 'bytes=0-1,4-5' } },
    { path: `referrers/${digest}`, method: 'GET' },
  ] as const;
  for (const [index, { path, ...init }] of asked.entries()) {
    const held = gate();
    source.fault = () => held.opened;
    const answer = await fetch(`${mirror.url}/v2/x/${path}`, init);
    assert.equal(answer.status, 504, path);
    if (init.method === 'GET') assert.match(await answer.text(), /UPSTREAM_TIMEOUT/);
    held.open();
    source.fault = () => {};
    const again = await fetch(`${mirror.url}/v2/x/${path}`, init);
    assert.ok(again.ok, path);
    await again.arrayBuffer();
    const records = await mirror.recorded(2 * (index + 1));
    assert.equal(records.length, 2 * (index + 1));
  }
  assert.equal(source.open, 0);
  assert.deepEqual(
    mirror.records.map(({ status }) => status).filter((status) => status >= 300),
    asked.map(() => 504),
  );
});

test('what takes long and is no content is waited for', LIMIT, async () => {
  await using mirror = await serve({ patience: PATIENCE });
  const { source } = mirror;
  source.putManifest(REPOSITORY, { schemaVersion: 2, config: {}, layers: [] }, 'v1');
  const held = gate();
  source.fault = () => (source.calls.at(-1)?.startsWith('tags') === true ? held.opened : undefined);
  const tags = fetch(`${mirror.url}/v2/x/tags/list`);
  // Longer than the patience of others lasts.
  source.putBlob(REPOSITORY, Buffer.from('content'));
  const other = gate();
  const { fault } = source;
  source.fault = () =>
    source.calls.at(-1)?.startsWith('manifest') === true ? other.opened : fault();
  for (let count = 0; count < 3; count += 1) {
    assert.equal((await fetch(`${mirror.url}/v2/x/manifests/v1`)).status, 504);
  }
  held.open();
  assert.equal((await tags).status, 200);
  other.open();
});

test('a slow answer to HEAD and another to GET: a status in time', LIMIT, async () => {
  await using place = await world();
  await using mirror = await serve({ source: place.mirror, patience: 500 });
  const { registry } = place;
  const { manifest } = registry.addImage('library/x', 'v1');
  const [head, get] = [gate(), gate()];
  const asks = { method: 'GET', path: /manifests/ };
  registry.misbehave({ method: 'HEAD' }, { kind: 'hold-headers', gate: head });
  registry.misbehave(asks, { kind: 'hold-headers', gate: get });
  const answer = fetch(`${mirror.url}/v2/x/manifests/v1`);
  await registry.seen({ method: 'HEAD' });
  head.open();
  await registry.seen(asks);
  assert.equal((await answer).status, 504);
  get.open();
  await place.mirror.passed();
  await registry.settled();
  const again = await fetch(`${mirror.url}/v2/x/manifests/v1`);
  assert.equal(again.headers.get('docker-content-digest'), manifest.digest);
  assert.equal(registry.count(asks), 1);
});
