import assert from 'node:assert/strict';
import { rename, rm, writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { digestOf, type Digest } from '../../src/core/digest.ts';
import { RegistryError } from '../../src/core/errors.ts';
import { parseTag, type Repository, type Tag } from '../../src/core/reference.ts';
import { Background } from '../../src/mirror/background.ts';
import { Heard } from '../../src/mirror/heard.ts';
import { Paths } from '../../src/store/paths.ts';
import { confirmed, diskTags } from '../../src/store/tags.ts';
import { world, type World, type WorldOptions } from '../fixtures/mirror-world.ts';
import { temporaryFolder } from '../fixtures/temporary.ts';

const repository = { host: 'docker.io', path: 'library/x' };
const elsewhere = { host: 'docker.io', path: 'library/y' };
const tag = parseTag('v1');
const FRESH = 61_000;
const GETS = { path: /\/manifests\//, method: 'GET' };

/** As containerd does it. */
async function pull(place: World, of: Repository = repository, at: Tag = tag): Promise<Digest> {
  const { descriptor } = await place.mirror.resolve(of, at);
  return (await place.mirror.manifest(of, descriptor.digest)).descriptor.digest;
}

async function pulled(options: WorldOptions = {}) {
  const place = await world(options);
  const { manifest } = place.registry.addImage('library/x', 'v1');
  assert.equal(await pull(place), manifest.digest);
  await place.mirror.passed();
  return { place, digest: manifest.digest };
}

function down({ registry }: World): void {
  registry.misbehave({}, { kind: 'reset' });
}

async function recorded(place: World, of: Repository = repository, at: Tag = tag) {
  return (await place.tags.get(of, at))?.descriptor.digest;
}

test('HEAD by tag, GET by digest: the tag is remembered when the upstream is down, after a restart as well', async () => {
  const { place, digest } = await pulled();
  await using _ = place;
  assert.equal(place.registry.requests.length, 2);
  down(place);
  place.advance(FRESH);
  for (const _again of [1, 2]) {
    const { descriptor, served } = await place.mirror.resolve(repository, tag);
    assert.equal(descriptor.digest, digest);
    assert.deepEqual(served, { result: 'stale', detail: 'unreachable' });
    assert.equal((await place.mirror.manifest(repository, tag)).descriptor.digest, digest);
    assert.equal(await pull(place), digest);
    await place.restart();
  }
});

test('the record is there before the upstream is asked again, and costs the upstream nothing', async () => {
  const { place, digest } = await pulled();
  await using _ = place;
  assert.equal(await recorded(place), digest);
  await place.restart();
  const asked = place.registry.requests.length;
  const { served } = await place.mirror.resolve(repository, tag);
  assert.equal(served?.result, 'hit');
  assert.equal(place.registry.requests.length, asked);
});

test('many clients and two tags of one digest: one HEAD a tag, one GET, both are remembered', async () => {
  await using place = await world();
  const { manifest } = place.registry.addImage('library/x', 'v1');
  place.registry.tag('library/x', 'latest', manifest.digest);
  const latest = parseTag('latest');
  const both = [tag, latest];
  const heads = Array.from({ length: 20 }, (_, index) =>
    place.mirror.resolve(repository, both[index % 2] ?? tag),
  );
  await Promise.all(heads);
  await Promise.all(
    Array.from({ length: 20 }, () => place.mirror.manifest(repository, manifest.digest)),
  );
  await place.mirror.passed();
  assert.equal(place.registry.requests.length, 3);
  for (const at of both) assert.equal(await recorded(place, repository, at), manifest.digest);
});

test('what is held needs no GET: the HEAD alone is remembered', async () => {
  const { place, digest } = await pulled();
  await using _ = place;
  place.registry.tag('library/x', 'v2', digest);
  const other = parseTag('v2');
  await place.mirror.resolve(repository, other);
  await place.mirror.passed();
  assert.equal(await recorded(place, repository, other), digest);
  assert.equal(place.registry.count(GETS), 1);
});

test('restarted between HEAD and GET: the next HEAD is enough', async () => {
  await using place = await world();
  const { manifest } = place.registry.addImage('library/x', 'v1');
  await place.mirror.resolve(repository, tag);
  await place.restart();
  await place.mirror.manifest(repository, manifest.digest);
  await place.mirror.resolve(repository, tag);
  await place.mirror.passed();
  assert.equal(await recorded(place), manifest.digest);
  assert.equal(place.registry.count(GETS), 1);
});

test('what another repository brought is remembered where the upstream confirms it', async () => {
  const { place, digest } = await pulled();
  await using _ = place;
  assert.equal(place.registry.addImage('library/y', 'v1').manifest.digest, digest);
  assert.equal(await pull(place, elsewhere), digest);
  await place.mirror.passed();
  assert.equal(await recorded(place, elsewhere), digest);
  assert.equal(place.registry.count(GETS), 1);
  down(place);
  place.advance(FRESH);
  assert.equal(await pull(place, elsewhere), digest);
});

test('a tag that moved between two pulls does not fall back to what it was', async () => {
  await using place = await world();
  const first = place.registry.addImage('library/x', 'v1', { config: { first: true } }).manifest;
  await place.mirror.manifest(repository, tag);
  await place.mirror.passed();
  const second = place.registry.addImage('library/x', 'v1', { config: { second: true } }).manifest;
  place.advance(FRESH);
  assert.equal(await pull(place), second.digest);
  await place.mirror.passed();
  down(place);
  place.advance(FRESH);
  assert.equal((await place.mirror.manifest(repository, tag)).descriptor.digest, second.digest);
  assert.equal(await pull(place), second.digest);
  const record = await place.tags.get(repository, tag);
  assert.deepEqual(
    record?.history.map(({ digest }) => digest),
    [first.digest],
  );
});

test('what finds no room is on no record, and served from memory while it is there', async () => {
  const limits = { maxSize: 100, lowWater: 0.9, minFree: 0 };
  const { place, digest } = await pulled({ housekeeping: { limits } });
  await using _ = place;
  assert.equal(await recorded(place), undefined);
  down(place);
  place.advance(FRESH);
  const { descriptor, served } = await place.mirror.resolve(repository, tag);
  assert.equal(descriptor.digest, digest);
  assert.equal(served?.result, 'stale');
  assert.equal((await place.mirror.manifest(repository, tag)).descriptor.digest, digest);
});

/** The store takes no small file until what comes back is called. */
async function unwritable({ paths }: World): Promise<() => Promise<void>> {
  await rename(paths.journal, `${paths.journal}.away`);
  await writeFile(paths.journal, 'in the way');
  return async () => {
    await rm(paths.journal);
    await rename(`${paths.journal}.away`, paths.journal);
  };
}

for (const [when, healed] of [
  ['the next time that it is asked about', async (place: World) => place.advance(FRESH)],
  ['at the end', (place: World) => place.restart()],
] as const) {
  test(`what could not be written down is believed, and written ${when}`, async () => {
    const { place, digest } = await pulled();
    await using _ = place;
    place.registry.tag('library/x', 'v2', digest);
    const other = parseTag('v2');
    const heal = await unwritable(place);
    await place.mirror.resolve(repository, other);
    await place.mirror.passed();
    assert.equal(await recorded(place, repository, other), undefined);
    assert.ok(place.events.some(({ type }) => type === 'storage-error'));
    down(place);
    place.advance(FRESH);
    const failures = () => place.events.filter(({ type }) => type === 'storage-error').length;
    assert.equal(await pull(place, repository, other), digest);
    await place.mirror.passed();
    assert.equal(await recorded(place, repository, other), undefined);
    const failed = failures();
    assert.equal(await pull(place, repository, other), digest);
    await place.mirror.passed();
    assert.equal(failures(), failed, 'not tried for everyone who asks');
    await heal();
    await healed(place);
    assert.equal(await pull(place, repository, other), digest);
    await place.mirror.passed();
    assert.equal(await recorded(place, repository, other), digest);
    await place.restart();
    assert.equal(await pull(place, repository, other), digest);
  });
}

test('first and last seen are when the upstream said so, not when the manifest was fetched', async () => {
  await using place = await world();
  const { manifest } = place.registry.addImage('library/x', 'v1');
  const began = Date.now();
  await place.mirror.resolve(repository, tag);
  place.advance(FRESH);
  await place.mirror.resolve(repository, tag);
  place.advance(30_000);
  await place.mirror.manifest(repository, manifest.digest);
  await place.mirror.passed();
  const record = await place.tags.get(repository, tag);
  assert.ok(record !== undefined);
  assert.ok(record.firstSeen - began < 30_000);
  assert.ok(record.checkedAt - began >= FRESH && record.checkedAt - began < FRESH + 30_000);
});

test('what was heard before something else went on record changes nothing', async () => {
  await using place = await world();
  const { manifest } = place.registry.addImage('library/x', 'v1');
  const other = place.registry.addImage('library/x', 'other', { config: { other: true } }).manifest;
  await place.mirror.resolve(repository, tag);
  const { mediaType, digest, size } = other;
  const later = Date.now() + 1_000;
  place.advance(2_000);
  await place.tags.set(repository, tag, confirmed(undefined, { mediaType, digest, size }, later));
  await place.mirror.manifest(repository, manifest.digest);
  await place.mirror.passed();
  assert.equal(await recorded(place), other.digest);
});

test('a tag that is gone before its manifest is fetched is not remembered', async () => {
  await using place = await world({ policy: { notFoundFor: 0 } });
  const { manifest } = place.registry.addImage('library/x', 'v1');
  await place.mirror.resolve(repository, tag);
  place.registry.untag('library/x', 'v1');
  place.advance(FRESH);
  const unknown = (error: unknown) =>
    error instanceof RegistryError && error.code === 'MANIFEST_UNKNOWN';
  await assert.rejects(place.mirror.resolve(repository, tag), unknown);
  await place.mirror.manifest(repository, manifest.digest);
  await place.mirror.passed();
  assert.equal(await recorded(place), undefined);
});

test('no more than ten thousand meanings are remembered', async () => {
  await using folder = await temporaryFolder();
  const errors: Error[] = [];
  const tags = diskTags(new Paths(folder.path));
  const heard = new Heard({
    tags,
    background: new Background((error) => errors.push(error)),
    now: Date.now,
  });
  const of = (index: number) => ({
    mediaType: 'application/json',
    digest: digestOf(Buffer.from(String(index)), 'sha256'),
    size: 1,
  });
  const at = (index: number) => parseTag(`v${index}`);
  for (let index = 0; index <= 10_000; index += 1) {
    heard.note(repository, at(index), of(index), 1);
  }
  await heard.kept(repository, of(0));
  await heard.kept(repository, of(1));
  assert.deepEqual(await tags.list(repository), ['v1']);
  assert.deepEqual(errors, []);
});
