import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RegistryError } from '../../src/core/errors.ts';
import { parseTag } from '../../src/core/reference.ts';
import { gate } from '../fixtures/gate.ts';
import { world, type World, type WorldOptions } from '../fixtures/mirror-world.ts';

const repository = { host: 'docker.io', path: 'library/x' };
const tag = parseTag('v1');
const MANIFESTS = { path: /\/manifests\// };
const HEADS = { ...MANIFESTS, method: 'HEAD' };
const GETS = { ...MANIFESTS, method: 'GET' };

/** A mirror that has pulled `library/x:v1`, which has moved since; it is time to ask again. */
async function moved(options: WorldOptions = {}) {
  const place = await world(options);
  const add = (config: Readonly<Record<string, unknown>>) =>
    place.registry.addImage('library/x', 'v1', { config }).manifest.digest;
  const before = add({ first: true });
  await place.mirror.manifest(repository, tag);
  await place.mirror.passed();
  const after = add({ second: true });
  place.advance(61_000);
  return { place, before, after };
}

/** What HEAD says of the tag. */
async function head({ mirror }: World) {
  const { descriptor, served } = await mirror.resolve(repository, tag);
  return { digest: descriptor.digest, ...served };
}

async function get({ mirror }: World) {
  const { descriptor, served } = await mirror.manifest(repository, tag);
  return { digest: descriptor.digest, ...served };
}

test('HEAD tells of a move when the manifest is here: what it names can be had', async () => {
  const { place, after } = await moved();
  await using _ = place;
  assert.deepEqual(await head(place), {
    digest: after,
    result: 'miss',
    detail: 'changed',
    stored: true,
    ttl: 60,
  });
  assert.equal(place.registry.count(GETS), 2);
  place.registry.misbehave({}, { kind: 'reset' });
  assert.equal((await place.mirror.manifest(repository, after)).served?.result, 'hit');
});

test('many ask when it has moved: one HEAD, one GET', async () => {
  const { place, after } = await moved();
  await using _ = place;
  const asked = place.registry.requests.length;
  const answers = await Promise.all(
    Array.from({ length: 20 }, (_unused, index) => (index % 2 === 0 ? head(place) : get(place))),
  );
  for (const { digest } of answers) assert.equal(digest, after);
  assert.equal(place.registry.requests.length, asked + 2);
});

test('the newer manifest is refused (HEAD costs nothing, GET does): HEAD and GET stay with what is here', async () => {
  const { place, before } = await moved();
  await using _ = place;
  const limited = { kind: 'status', status: 429 } as const;
  const undo = place.registry.misbehave(GETS, limited);
  const stale = { digest: before, result: 'stale', detail: 'rate-limited' };
  assert.deepEqual(await get(place), stale);
  const asked = place.registry.requests.length;
  assert.deepEqual(await head(place), stale);
  assert.deepEqual(await get(place), stale);
  assert.equal((await place.mirror.manifest(repository, before)).descriptor.digest, before);
  assert.equal(place.registry.requests.length, asked, 'not asked again at once');
  assert.ok(place.events.every(({ type }) => type !== 'tag-moved'));
  undo();
});

test('the newer manifest is slow: nobody waits for it, and it is taken when it has come', async () => {
  const { place, before, after } = await moved({ policy: { revalidateWithin: 1 } });
  await using _ = place;
  const hold = gate();
  place.registry.misbehave(GETS, { kind: 'hold-headers', gate: hold });
  const stale = { digest: before, result: 'stale', detail: 'slow' };
  for (const ask of [get, head, get]) assert.deepEqual(await ask(place), stale);
  hold.open();
  await place.told('tag-moved');
  await place.mirror.passed();
  assert.deepEqual(await get(place), { digest: after, result: 'hit', ttl: 60 });
  assert.equal((await head(place)).digest, after);
  assert.equal(place.registry.count(HEADS), 2);
});

test('whenUnreachable: fail waits, and fails as the upstream does', async () => {
  const { place } = await moved({ policy: { whenUnreachable: 'fail' } });
  await using _ = place;
  place.registry.misbehave(GETS, { kind: 'status', status: 500 });
  const fails = (error: unknown) =>
    error instanceof RegistryError && error.code === 'UPSTREAM_UNAVAILABLE';
  await assert.rejects(head(place), fails);
  await assert.rejects(get(place), fails);
});

test('a tag whose manifest is here no more is nothing to fall back on', async () => {
  const { place, before } = await moved();
  await using _ = place;
  await place.store.remove(before);
  place.mirror.forget(before);
  const undo = place.registry.misbehave({}, { kind: 'reset' });
  const fails = (error: unknown) =>
    error instanceof RegistryError && error.code === 'UPSTREAM_UNAVAILABLE';
  await assert.rejects(head(place), fails);
  await assert.rejects(get(place), fails);
  undo();
});

test('a tag that is asked about again and again without being fetched has moved once', async () => {
  const { place, before, after } = await moved();
  await using _ = place;
  await place.store.remove(before);
  place.mirror.forget(before);
  for (const _again of [1, 2]) {
    assert.equal((await head(place)).digest, after);
    place.advance(61_000);
  }
  assert.equal(place.events.filter(({ type }) => type === 'tag-moved').length, 1);
});

test('last seen is when the upstream had it last, not when it said that it is gone', async () => {
  await using place = await world();
  const first = place.registry.addImage('library/x', 'v1', { config: { first: true } }).manifest;
  await place.mirror.manifest(repository, tag);
  await place.mirror.passed();
  const seen = (await place.tags.get(repository, tag))?.checkedAt;
  place.registry.untag('library/x', 'v1');
  let since: number | undefined;
  for (const _check of [1, 2, 3]) {
    place.advance(61_000);
    assert.equal((await get(place)).detail, 'gone');
    await place.mirror.passed();
    const record = await place.tags.get(repository, tag);
    since ??= record?.goneSince;
    assert.equal(record?.goneSince, since);
    assert.equal(record?.checkedAt, seen);
    // Asked once in a while, like any other.
    const asked = place.registry.requests.length;
    await place.restart();
    assert.equal((await head(place)).detail, 'gone');
    assert.equal(place.registry.requests.length, asked);
  }
  place.registry.addImage('library/x', 'v1', { config: { second: true } });
  place.advance(61_000);
  await get(place);
  await place.mirror.passed();
  const record = await place.tags.get(repository, tag);
  assert.equal(record?.goneSince, undefined);
  assert.deepEqual(record?.history, [{ digest: first.digest, firstSeen: seen, lastSeen: seen }]);
});
