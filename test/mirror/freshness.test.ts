import assert from 'node:assert/strict';
import { readdir, rm } from 'node:fs/promises';
import { test } from 'node:test';
import type { Digest } from '../../src/core/digest.ts';
import { RegistryError } from '../../src/core/errors.ts';
import { parseTag } from '../../src/core/reference.ts';
import { MEDIA_TYPES } from '../../src/core/media-type.ts';
import type { Descriptor } from '../../src/core/descriptor.ts';
import { replaceFile } from '../../src/store/small-file.ts';
import { confirmed, diskTags } from '../../src/store/tags.ts';
import { gate } from '../fixtures/gate.ts';
import { world, type World, type WorldOptions } from '../fixtures/mirror-world.ts';

const repository = { host: 'docker.io', path: 'library/x' };
const tag = parseTag('v1');
const MANIFESTS = { path: /\/manifests\// };
const HEADS = { ...MANIFESTS, method: 'HEAD' };
const GETS = { ...MANIFESTS, method: 'GET' };

/** A mirror that has just pulled `library/x:v1`. */
async function pulled(options: WorldOptions = {}) {
  const place = await world(options);
  const image = place.registry.addImage('library/x', 'v1', { config: { first: true } });
  const manifest = await place.mirror.manifest(repository, tag);
  assert.equal(manifest.served?.result, 'miss');
  assert.equal(manifest.descriptor.digest, image.manifest.digest);
  await place.mirror.passed();
  return { place, image };
}

function move(place: World) {
  return place.registry.addImage('library/x', 'v1', { config: { second: true } }).manifest;
}

async function pull(place: World) {
  const { descriptor, served } = await place.mirror.manifest(repository, tag);
  return { digest: descriptor.digest, ...served };
}

function fails(code: string) {
  return (error: unknown) => error instanceof RegistryError && error.code === code;
}

test('a tag is believed for freshFor, then asked about with one HEAD', async () => {
  const { place, image } = await pulled();
  await using _ = place;
  const requests = place.registry.requests.length;
  place.advance(30_000);
  assert.deepEqual(await pull(place), { digest: image.manifest.digest, result: 'hit', ttl: 30 });
  assert.equal(place.registry.requests.length, requests);

  place.advance(31_000);
  const answers = await Promise.all(Array.from({ length: 10 }, () => pull(place)));
  for (const answer of answers) {
    assert.deepEqual(answer, { digest: image.manifest.digest, result: 'revalidated', ttl: 60 });
  }
  assert.equal(place.registry.requests.length, requests + 1);
  assert.equal(place.registry.requests.at(-1)?.method, 'HEAD');
  assert.equal((await pull(place)).result, 'hit');
});

test('a tag that moved is followed, and what it meant is kept', async () => {
  const { place, image } = await pulled();
  await using _ = place;
  const moved = move(place);
  assert.equal((await pull(place)).digest, image.manifest.digest);
  place.advance(61_000);
  const answer = await pull(place);
  assert.equal(answer.digest, moved.digest);
  assert.equal(answer.result, 'miss');
  assert.equal(answer.detail, 'changed');
  assert.equal((await pull(place)).result, 'hit');
  await place.mirror.passed();
  const record = await place.tags.get(repository, tag);
  assert.equal(record?.descriptor.digest, moved.digest);
  assert.deepEqual(
    record?.history.map(({ digest }) => digest),
    [image.manifest.digest],
  );
});

test('cold: one HEAD and one GET however many ask', async () => {
  await using place = await world();
  place.registry.addImage('library/x', 'v1');
  await Promise.all(Array.from({ length: 20 }, () => pull(place)));
  assert.equal(place.registry.count(HEADS), 1);
  assert.equal(place.registry.count(GETS), 1);
});

test('HEAD by tag asks with HEAD alone', async () => {
  await using place = await world();
  const image = place.registry.addImage('library/x', 'v1');
  const { descriptor } = await place.mirror.resolve(repository, tag);
  assert.equal(descriptor.digest, image.manifest.digest);
  assert.equal(place.registry.count(GETS), 0);
  await place.mirror.resolve(repository, tag);
  assert.equal(place.registry.requests.length, 1);
});

test('the upstream is slow: the cached answer goes out, revalidation ends by itself', async () => {
  const { place, image } = await pulled({ policy: { revalidateWithin: 1 } });
  await using _ = place;
  place.advance(61_000);
  const hold = gate();
  place.registry.misbehave(HEADS, { kind: 'hold-headers', gate: hold });
  const stale = { digest: image.manifest.digest, result: 'stale', detail: 'slow' };
  assert.deepEqual(await pull(place), stale);
  assert.deepEqual(await pull(place), stale);
  hold.open();
  await place.told('revalidated', 3);
  assert.equal((await pull(place)).result, 'hit');
  assert.equal(place.registry.count(HEADS), 2);
});

for (const [name, behaviour, detail] of [
  ['down', { kind: 'reset' }, 'unreachable'],
  ['broken', { kind: 'status', status: 500 }, 'unreachable'],
  ['limiting', { kind: 'status', status: 429, headers: { 'Retry-After': '30' } }, 'rate-limited'],
  ['denying', { kind: 'status', status: 403 }, 'denied'],
] as const) {
  test(`the upstream is ${name}: stale is served, or not, as the policy says`, async () => {
    const { place, image } = await pulled();
    await using _ = place;
    place.registry.misbehave({}, behaviour);
    place.advance(61_000);
    const stale = { digest: image.manifest.digest, result: 'stale', detail };
    assert.deepEqual(await pull(place), stale);
    const asked = place.registry.requests.length;
    assert.deepEqual(await pull(place), stale);
    assert.equal(place.registry.requests.length, asked, 'not asked again at once');
    await place.restart();
    assert.equal((await pull(place)).result, 'stale');
  });
}

test('whenUnreachable: fail', async () => {
  const { place } = await pulled({ policy: { whenUnreachable: 'fail' } });
  await using _ = place;
  place.registry.misbehave({}, { kind: 'reset' });
  assert.equal((await pull(place)).result, 'hit');
  place.advance(61_000);
  await assert.rejects(pull(place), fails('UPSTREAM_UNAVAILABLE'));
});

test('deleted upstream: goes on being served, and says so', async () => {
  const { place, image } = await pulled();
  await using _ = place;
  place.registry.untag('library/x', 'v1');
  place.advance(61_000);
  for (const _again of [1, 2]) {
    const answer = await pull(place);
    assert.equal(answer.digest, image.manifest.digest);
    assert.equal(answer.detail, 'gone');
    assert.match(String(answer.warning), /^the upstream no longer has this tag/);
  }
  place.registry.tag('library/x', 'v1', image.manifest.digest);
  place.advance(61_000);
  assert.equal((await pull(place)).warning, undefined);
});

/** The tag gets another meaning from somebody who holds it, and then what the task has begun goes on. */
async function brought(place: World, task: () => Promise<void>): Promise<Descriptor> {
  const { digest, size } = move(place);
  const descriptor = { mediaType: MEDIA_TYPES.ociManifest, digest, size };
  await place.tags.hold([{ repository, tag }], async (note) => {
    await task();
    const record = confirmed(await place.tags.get(repository, tag), descriptor, 1);
    await replaceFile(place.paths.tag(repository, tag), JSON.stringify(record));
    note({ repository, tag }, record);
  });
  return descriptor;
}

for (const restarted of [false, true]) {
  test(`what somebody brings while the upstream says that it is gone stays, as gone${restarted ? ', after a restart' : ''}`, async () => {
    const { place, image } = await pulled();
    await using _ = place;
    if (restarted) await place.restart();
    place.advance(61_000);
    const { digest } = await brought(place, async () => {
      place.registry.untag('library/x', 'v1');
      assert.equal((await pull(place)).detail, 'gone');
    });
    // A write of the same tag: those before have passed.
    await place.tags.update(repository, tag, () => undefined);
    const record = await place.tags.get(repository, tag);
    assert.equal(record?.descriptor.digest, digest);
    assert.notEqual(record.goneSince, undefined);
    assert.deepEqual(
      record.history.map((one) => one.digest),
      [image.manifest.digest],
    );
    assert.deepEqual(await diskTags(place.paths).get(repository, tag), record);
  });

  test(`what somebody brings while the upstream confirms another meaning is in the history${restarted ? ', after a restart' : ''}`, async () => {
    const { place, image } = await pulled();
    await using _ = place;
    if (restarted) await place.restart();
    place.advance(61_000);
    const { digest } = await brought(place, async () => {
      place.registry.tag('library/x', 'v1', image.manifest.digest);
      const asked = place.registry.count(HEADS);
      assert.equal((await pull(place)).result, 'revalidated');
      // Known, though not on record yet.
      assert.equal((await pull(place)).result, 'hit');
      assert.equal(place.registry.count(HEADS), asked + 1);
    });
    await place.tags.update(repository, tag, () => undefined);
    const record = await place.tags.get(repository, tag);
    assert.equal(record?.descriptor.digest, image.manifest.digest);
    assert.deepEqual(
      record.history.map((one) => one.digest),
      [digest, image.manifest.digest],
    );
    assert.equal((await pull(place)).result, 'hit');
  });
}

test('whenDeleted: follow', async () => {
  const { place } = await pulled({ policy: { whenDeleted: 'follow' } });
  await using _ = place;
  place.registry.untag('library/x', 'v1');
  place.advance(61_000);
  await assert.rejects(pull(place), fails('MANIFEST_UNKNOWN'));
  await place.restart();
  place.registry.misbehave({}, { kind: 'reset' });
  await assert.rejects(pull(place), fails('UPSTREAM_UNAVAILABLE'));
});

test('a 404 that nobody meant (a page of some proxy) deletes nothing and is not remembered', async () => {
  const { place, image } = await pulled({ policy: { whenDeleted: 'follow' } });
  await using _ = place;
  const undo = place.registry.misbehave({}, { kind: 'status', status: 404, body: 'not here' });
  place.advance(61_000);
  assert.equal((await pull(place)).digest, image.manifest.digest);
  await assert.rejects(
    place.mirror.manifest(repository, parseTag('v2')),
    fails('MANIFEST_UNKNOWN'),
  );
  undo();
  place.registry.tag('library/x', 'v2', image.manifest.digest);
  assert.ok(await place.mirror.manifest(repository, parseTag('v2')));
});

test('a definitive 404 is remembered briefly', async () => {
  const { place, image } = await pulled({ policy: { notFoundFor: 50 } });
  await using _ = place;
  const other = parseTag('v2');
  await assert.rejects(place.mirror.manifest(repository, other), fails('MANIFEST_UNKNOWN'));
  const asked = place.registry.requests.length;
  await assert.rejects(place.mirror.manifest(repository, other), fails('MANIFEST_UNKNOWN'));
  assert.equal(place.registry.requests.length, asked);
  place.registry.tag('library/x', 'v2', image.manifest.digest);
  for (;;) {
    const found = await place.mirror.manifest(repository, other).catch(() => undefined);
    if (found !== undefined) break;
    await new Promise(setImmediate);
  }
});

test('the newer manifest cannot be had: the earlier one is served', async () => {
  const { place, image } = await pulled();
  await using _ = place;
  move(place);
  place.advance(61_000);
  place.registry.misbehave(GETS, { kind: 'status', status: 500 });
  const answer = await pull(place);
  assert.equal(answer.digest, image.manifest.digest);
  assert.equal(answer.result, 'stale');
});

test('by digest: from the cache for ever, and only where it is known to be', async () => {
  const { place, image } = await pulled();
  await using _ = place;
  const { digest } = image.manifest;
  await place.restart();
  place.registry.misbehave(GETS, { kind: 'reset' });
  const held = await place.mirror.manifest(repository, digest);
  assert.equal(held.served?.result, 'hit');
  assert.deepEqual(Buffer.from(held.bytes), Buffer.from(image.manifest.bytes));
  const stranger = { host: 'docker.io', path: 'library/stranger' };
  await assert.rejects(place.mirror.manifest(stranger, digest));
});

test('everything but the blobs lost: requests, never wrong answers', async () => {
  const { place, image } = await pulled();
  await using _ = place;
  await place.restart();
  await rm(place.paths.repositories, { recursive: true });
  await place.restart();
  const before = place.registry.count(GETS);
  const answer = await pull(place);
  assert.equal(answer.digest, image.manifest.digest);
  assert.equal(place.registry.count(GETS), before, 'confirmed with HEAD, the bytes were here');
});

test('tags: the upstream, then what is known; sorted', async () => {
  const { place, image } = await pulled();
  await using _ = place;
  for (const name of ['b', 'A', 'a']) place.registry.tag('library/x', name, image.manifest.digest);
  assert.deepEqual((await place.mirror.tags(repository)).items, ['A', 'a', 'b', 'v1']);
  place.registry.misbehave({}, { kind: 'reset' });
  assert.equal((await place.mirror.tags(repository)).served?.result, 'hit');
  place.advance(61_000);
  assert.equal((await place.mirror.tags(repository)).items.length, 4);
  await place.restart();
  assert.deepEqual((await place.mirror.tags(repository)).items, ['v1']);
});

test('referrers: asked, remembered, and still known when the upstream is down', async () => {
  const { place, image } = await pulled();
  await using _ = place;
  const { mediaType, digest, size } = image.manifest;
  const signature = place.registry.addImage('library/x', undefined, {
    manifest: { subject: { mediaType, digest, size }, artifactType: 'application/signature' },
  });
  const listed = await place.mirror.referrers(repository, digest);
  assert.deepEqual(
    listed.items.map((item) => [item.digest, item.artifactType]),
    [[signature.manifest.digest, 'application/signature']],
  );
  place.registry.misbehave({}, { kind: 'reset' });
  await place.restart();
  place.advance(61_000);
  assert.equal((await place.mirror.referrers(repository, digest)).items.length, 1);
  const unknown = `sha256:${'0'.repeat(64)}` as Digest;
  await assert.rejects(place.mirror.referrers(repository, unknown), fails('UPSTREAM_UNAVAILABLE'));
});

test('nothing refers to what nobody knows: an empty list', async () => {
  await using place = await world();
  const unknown = `sha256:${'0'.repeat(64)}` as Digest;
  assert.deepEqual((await place.mirror.referrers(repository, unknown)).items, []);
});

test('tags that were pulled are no answer while the upstream is merely slow', async () => {
  const { place, image } = await pulled({ policy: { revalidateWithin: 1 } });
  await using _ = place;
  place.registry.tag('library/x', 'v2', image.manifest.digest);
  const hold = gate();
  place.registry.misbehave({ path: /tags/ }, { kind: 'hold-headers', gate: hold });
  const listing = place.mirror.tags(repository);
  await place.registry.seen({ path: /tags/ });
  setTimeout(() => hold.open(), 20);
  assert.deepEqual((await listing).items, ['v1', 'v2']);
});

test('offline or down, the tags that were pulled are better than nothing', async () => {
  const { place } = await pulled();
  await using _ = place;
  await place.restart();
  place.registry.misbehave({}, { kind: 'reset' });
  const { items, served } = await place.mirror.tags(repository);
  assert.deepEqual(items, ['v1']);
  assert.equal(served?.result, 'stale');
});

test('asking for referrers of nothing leaves nothing behind', async () => {
  await using place = await world();
  for (let index = 0; index < 5; index += 1) {
    const unknown = `sha256:${String(index).repeat(64)}` as Digest;
    const nowhere = { host: 'docker.io', path: `nonexistent/r${index}` };
    assert.deepEqual((await place.mirror.referrers(nowhere, unknown)).items, []);
  }
  await place.restart();
  assert.deepEqual(await readdir(place.paths.repositories), []);
});

test('HEAD by digest: a "not there" is remembered there, too, and many ask once', async () => {
  await using place = await world();
  place.registry.addImage('library/x', 'v1');
  const unknown = `sha256:${'0'.repeat(64)}` as Digest;
  await assert.rejects(place.mirror.resolve(repository, unknown), fails('MANIFEST_UNKNOWN'));
  const asked = place.registry.requests.length;
  await assert.rejects(place.mirror.resolve(repository, unknown), fails('MANIFEST_UNKNOWN'));
  assert.equal(place.registry.requests.length, asked);
});

test('that nothing refers to something is never said instead of an error', async () => {
  const { place, image } = await pulled();
  await using _ = place;
  const { digest } = image.manifest;
  assert.deepEqual((await place.mirror.referrers(repository, digest)).items, []);
  place.advance(61_000);
  place.registry.misbehave({ path: /referrers/ }, { kind: 'status', status: 500 });
  for (let time = 0; time < 3; time += 1) {
    await assert.rejects(place.mirror.referrers(repository, digest), fails('UPSTREAM_UNAVAILABLE'));
  }
});

for (const [what, path, ask] of [
  ['tags', /tags/, (place: World) => place.mirror.tags(repository)],
  [
    'referrers',
    /referrers/,
    (place: World, digest: Digest) => place.mirror.referrers(repository, digest),
  ],
] as const) {
  test(`${what} behind an upstream that hangs: one waits, the others do not`, async () => {
    const revalidateWithin = 200;
    const { place, image } = await pulled({ policy: { revalidateWithin } });
    await using _ = place;
    const { mediaType, digest, size } = image.manifest;
    place.registry.addImage('library/x', undefined, {
      manifest: { subject: { mediaType, digest, size }, artifactType: 'application/signature' },
    });
    const { items } = await ask(place, digest);
    assert.equal(items.length, 1);
    place.advance(61_000);
    const hold = gate();
    place.registry.misbehave({ path }, { kind: 'hold-headers', gate: hold });
    const began = performance.now();
    for (let time = 0; time < 20; time += 1) {
      const listing = await ask(place, digest);
      assert.deepEqual(listing.items, items);
      assert.deepEqual(listing.served, { result: 'stale', detail: 'slow' });
    }
    assert.ok(performance.now() - began < 10 * revalidateWithin);
    hold.open();
    while ((await ask(place, digest)).served?.result === 'stale') {
      await new Promise(setImmediate);
    }
  });

  test(`${what} that an upstream refuses are not asked for again at once`, async () => {
    const { place, image } = await pulled();
    await using _ = place;
    const { mediaType, digest, size } = image.manifest;
    place.registry.addImage('library/x', undefined, {
      manifest: { subject: { mediaType, digest, size }, artifactType: 'application/signature' },
    });
    const { items } = await ask(place, digest);
    place.advance(61_000);
    const undo = place.registry.misbehave({}, { kind: 'status', status: 500 });
    assert.deepEqual((await ask(place, digest)).items, items);
    const asked = place.registry.requests.length;
    assert.equal((await ask(place, digest)).served?.detail, 'unreachable');
    assert.equal(place.registry.requests.length, asked);
    undo();
    place.mirror.reconsider();
    assert.equal((await ask(place, digest)).served?.result, 'revalidated');
  });
}
