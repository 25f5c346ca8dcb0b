import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RegistryError } from '../../src/core/errors.ts';
import { parseTag } from '../../src/core/reference.ts';
import { gate } from '../fixtures/gate.ts';
import { world, type World } from '../fixtures/mirror-world.ts';

const MiB = 1024 * 1024;
const repository = { host: 'docker.io', path: 'library/x' };
const elsewhere = { host: 'docker.io', path: 'library/y' };
const tag = parseTag('v1');
const BLOBS = { method: 'GET', path: /\/blobs\// };
const { signal } = new AbortController();

function add({ registry }: World, size: number) {
  const digest = registry.addBlob({ size, seed: size });
  return { digest, size, mediaType: 'application/octet-stream' };
}

function fails(code: string) {
  return (error: unknown) => error instanceof RegistryError && error.code === code;
}

test('a blob is stored without anybody who reads it, once, and then it is there', async () => {
  await using place = await world();
  const blob = add(place, 5 * MiB);
  const kept = await Promise.all([
    place.mirror.keeping.blob(repository, blob, { signal }),
    place.mirror.keeping.blob(repository, blob, { signal }),
  ]);
  for (const one of kept) assert.deepEqual(one, { how: 'fetched', bytes: blob.size });
  assert.equal(await place.store.size(blob.digest), blob.size);
  assert.equal(place.registry.count(BLOBS), 1);
  const again = await place.mirror.keeping.blob(repository, blob, { signal });
  assert.deepEqual(again, { how: 'held', bytes: 0 });
  // Another repository is asked about, and has nothing sent.
  const shared = await place.mirror.keeping.blob(elsewhere, blob, { signal });
  assert.equal(shared.how, 'held');
  assert.equal(place.registry.count(BLOBS), 1);
});

test('an empty blob and one of a single byte are content like others', async () => {
  await using place = await world();
  for (const text of ['', 'x']) {
    const digest = place.registry.addBlob(text);
    const blob = { digest, size: text.length, mediaType: 'text/plain' };
    assert.equal((await place.mirror.keeping.blob(repository, blob, { signal })).how, 'fetched');
    assert.equal(await place.store.size(digest), text.length);
  }
});

test('what finds no room is a failure, and is not downloaded to its end', async () => {
  const limits = { maxSize: 4 * MiB, lowWater: 0.9, minFree: 0 };
  await using place = await world({ housekeeping: { limits } });
  const blob = add(place, 64 * MiB);
  const keeping = place.mirror.keeping.blob(repository, blob, { signal });
  await assert.rejects(keeping, fails('STORAGE_UNAVAILABLE'));
  await place.told('download-ended');
  await place.registry.settled();
  assert.ok(place.registry.bytesSent(BLOBS) < blob.size);
  assert.equal(await place.store.size(blob.digest), undefined);
});

test('wrong content is a failure', async () => {
  await using place = await world({ retries: 0 });
  const blob = add(place, MiB);
  place.registry.misbehave(BLOBS, { kind: 'flip', at: 1000 });
  const keeping = place.mirror.keeping.blob(repository, blob, { signal });
  await assert.rejects(keeping, fails('DIGEST_INVALID'));
  assert.equal(await place.store.size(blob.digest), undefined);
});

test('a signal ends the wait at once; the download goes on for a while, as when a client leaves', async () => {
  await using place = await world();
  const blob = add(place, 2 * MiB);
  const held = gate();
  place.registry.misbehave(BLOBS, { kind: 'hold-body', at: MiB, gate: held });
  const ending = new AbortController();
  const keeping = place.mirror.keeping.blob(repository, blob, { signal: ending.signal });
  keeping.catch(() => {});
  await place.registry.seen(BLOBS);
  ending.abort();
  await assert.rejects(keeping, fails('INTERRUPTED'));
  held.open();
  await place.told('download-ended');
  assert.equal(await place.store.size(blob.digest), blob.size);
});

test('manifests and tags are stored when they are said to be', async () => {
  await using place = await world();
  const { manifest } = place.registry.addImage('library/x', 'v1');
  const kept = await place.mirror.keeping.manifest(repository, manifest.digest);
  assert.equal(kept.descriptor.digest, manifest.digest);
  assert.equal(await place.store.size(manifest.digest), manifest.size);
  assert.equal(await place.tags.get(repository, tag), undefined);
  await place.mirror.keeping.tag(repository, tag);
  const record = await place.tags.get(repository, tag);
  assert.equal(record?.descriptor.digest, manifest.digest);
});

test('a manifest that finds no room is a failure, though it is served', async () => {
  const limits = { maxSize: 100, lowWater: 0.9, minFree: 0 };
  await using place = await world({ housekeeping: { limits } });
  const { manifest } = place.registry.addImage('library/x', 'v1');
  const { keeping } = place.mirror;
  await assert.rejects(keeping.manifest(repository, manifest.digest), fails('STORAGE_UNAVAILABLE'));
  await assert.rejects(keeping.tag(repository, tag), fails('STORAGE_UNAVAILABLE'));
  assert.equal((await place.mirror.manifest(repository, tag)).descriptor.digest, manifest.digest);
});

test('a cached tag that moves is told of, with what it means now', async () => {
  await using place = await world();
  place.registry.addImage('library/x', 'v1');
  await place.mirror.manifest(repository, tag);
  place.advance(61_000);
  await place.mirror.resolve(repository, tag);
  assert.ok(place.events.every(({ type }) => type !== 'tag-moved'));
  const moved = place.registry.addImage('library/x', 'v1', { config: { second: true } });
  place.advance(61_000);
  await place.mirror.resolve(repository, tag);
  const told = place.events.filter((event) => event.type === 'tag-moved');
  const { digest } = moved.manifest;
  assert.deepEqual(told, [{ type: 'tag-moved', host: 'docker.io', repository, tag, digest }]);
});

test('a tag goes on to mean what it meant until it is said to be kept', async () => {
  await using place = await world();
  const { keeping } = place.mirror;
  const first = place.registry.addImage('library/x', 'v1', { config: { first: true } }).manifest;
  await place.mirror.manifest(repository, tag);
  await place.mirror.passed();
  const second = place.registry.addImage('library/x', 'v1', { config: { second: true } }).manifest;
  place.advance(61_000);
  const meaning = async () => (await place.tags.get(repository, tag))?.descriptor.digest;
  assert.equal((await keeping.resolve(repository, tag)).descriptor.digest, second.digest);
  await keeping.manifest(repository, second.digest);
  await place.mirror.passed();
  assert.equal(await meaning(), first.digest);
  const asked = place.registry.requests.length;
  await keeping.tag(repository, tag);
  assert.equal(await meaning(), second.digest);
  assert.equal(place.registry.requests.length, asked);
});

test('what a client has heard since is newer than what was found for keeping', async () => {
  await using place = await world();
  const { keeping } = place.mirror;
  place.registry.addImage('library/x', 'v1', { config: { first: true } });
  const { descriptor } = await keeping.resolve(repository, tag);
  await keeping.manifest(repository, descriptor.digest);
  const second = place.registry.addImage('library/x', 'v1', { config: { second: true } }).manifest;
  place.advance(1_000);
  await place.mirror.resolve(repository, tag);
  assert.equal((await keeping.tag(repository, tag)).descriptor.digest, second.digest);
  assert.equal((await place.tags.get(repository, tag))?.descriptor.digest, second.digest);
});
