import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { test } from 'node:test';
import { RegistryError } from '../../../src/core/errors.ts';
import { hostPlatform } from '../../../src/core/platform.ts';
import { parseTag } from '../../../src/core/reference.ts';
import { gate } from '../../fixtures/gate.ts';
import { filling } from './place.ts';

type Place = Awaited<ReturnType<typeof filling>>;

const KiB = 1024;
const repository = { host: 'docker.io', path: 'library/x' };
const tag = parseTag('v1');
const BLOBS = { method: 'GET', path: /\/blobs\// };
const GETS = { method: 'GET', path: /\/(blobs|manifests)\// };
const AMD = { os: 'linux', architecture: 'amd64' };
const ARM = { os: 'linux', architecture: 'arm64' };

/** An index with an image for each platform, an attestation for the first, and a signature of that. */
function addIndex({ registry }: Place, named: string | undefined = 'v1', salt = 0) {
  const image = (architecture: string, seed: number) =>
    registry.addImage('library/x', undefined, {
      layers: [
        { size: 40 * KiB, seed },
        { size: 10 * KiB, seed: 99 },
      ],
      config: { architecture, salt },
    });
  const [amd, arm] = [image('amd64', 1), image('arm64', 2)];
  const attestation = registry.addImage('library/x', undefined, {
    layers: ['provenance'],
    config: { architecture: 'unknown', os: 'unknown' },
  });
  const entry = ({ manifest }: typeof amd, platform: object, annotations?: object) => {
    const { mediaType, digest, size } = manifest;
    return { mediaType, digest, size, platform, annotations };
  };
  const index = registry.addIndex('library/x', named, [
    entry(amd, AMD),
    entry(arm, ARM),
    entry(
      attestation,
      { os: 'unknown', architecture: 'unknown' },
      {
        'vnd.docker.reference.type': 'attestation-manifest',
        'vnd.docker.reference.digest': amd.manifest.digest,
      },
    ),
  ]);
  const { mediaType, digest, size } = amd.manifest;
  const signature = registry.addImage('library/x', undefined, {
    layers: [`signature ${salt}`],
    manifest: { subject: { mediaType, digest, size }, artifactType: 'application/x.signature' },
  });
  return { index, amd, arm, attestation, signature };
}

/** Digests of everything that the store has. */
async function stored({ paths }: Place): Promise<ReadonlySet<string>> {
  const names = await readdir(`${paths.blobs}/sha256`);
  return new Set(names.map((name) => `sha256:${name}`));
}

function digestsOf(image: ReturnType<typeof addIndex>['amd']): readonly string[] {
  return [image.manifest, image.config, ...image.layers].map(({ digest }) => digest);
}

/** What is there of an index whatever the platform: containerd 2 asks for all of it. */
function frameOf({ index, amd, arm, attestation }: ReturnType<typeof addIndex>) {
  return [index, ...[amd, arm, attestation].flatMap(({ manifest, config }) => [manifest, config])];
}

function layersOf(...images: readonly ReturnType<typeof addIndex>['amd'][]): readonly string[] {
  return images.flatMap(({ layers }) => layers.map(({ digest }) => digest));
}

function fails(code: string) {
  return (error: unknown) => error instanceof RegistryError && error.code === code;
}

test('of an index the layers of the platform asked for are stored, and the tag; then nothing is asked for', async () => {
  await using place = await filling();
  const built = addIndex(place);
  const { index, arm } = built;
  const summary = await place.fetch(['x:v1'], { platforms: ['linux/arm64'] });
  const parts = [...frameOf(built), ...arm.layers];
  const bytes = parts.reduce((sum, { size }) => sum + size, 0);
  assert.deepEqual(summary, {
    complete: 1,
    fetched: { blobs: 9, bytes },
    held: { blobs: 0, bytes: 0 },
    failures: [],
  });
  assert.deepEqual(await stored(place), new Set(parts.map(({ digest }) => digest)));
  assert.equal((await place.tags.get(repository, tag))?.descriptor.digest, index.digest);

  const before = place.registry.count(GETS);
  const again = await place.fetch(['x:v1'], { platforms: ['linux/arm64'] });
  assert.deepEqual(again.fetched, { blobs: 0, bytes: 0 });
  assert.deepEqual(again.held, { blobs: 9, bytes });
  assert.equal(place.registry.count(GETS), before);
});

test('several platforms, all of them, and the one of this machine', async () => {
  await using place = await filling();
  const built = addIndex(place);
  const { amd, arm, attestation } = built;
  const frame = frameOf(built).map(({ digest }) => digest);
  const here = hostPlatform().architecture === 'arm64' ? arm : amd;
  await place.fetch(['x:v1']);
  assert.deepEqual(await stored(place), new Set([...frame, ...layersOf(here)]));
  await place.fetch(['x:v1'], { platforms: ['linux/amd64', 'arm64'] });
  assert.deepEqual(await stored(place), new Set([...frame, ...layersOf(amd, arm)]));
  await place.fetch(['x:v1'], { platforms: 'all' });
  assert.deepEqual(await stored(place), new Set([...frame, ...layersOf(amd, arm, attestation)]));
});

test('a platform that is lacking is told; one that lacks them all is a failure', async () => {
  await using place = await filling();
  addIndex(place);
  const some = await place.fetch(['x:v1'], { platforms: ['linux/amd64', 'linux/s390x'] });
  assert.equal(some.complete, 1);
  const done = place.events.find((event) => event.type === 'image-done');
  assert.deepEqual(done?.notes, ['there is no image for linux/s390x']);
  const none = await place.fetch(['x:v1'], { platforms: ['linux/s390x', 'windows/amd64'] });
  assert.equal(none.complete, 0);
  assert.match(none.failures[0]!.reason, /no image for linux\/s390x; there is linux\/amd64/);
});

test('an image without an index is taken as it is, unless it says that it is for another platform', async () => {
  await using place = await filling();
  place.registry.addImage('library/x', 'v1', { layers: ['a'] });
  place.registry.addImage('team/chart', '1.0', { config: { os: undefined } });
  const names = ['x:v1', 'docker.io/team/chart:1.0'];
  assert.equal((await place.fetch(names)).complete, 2);
  assert.equal((await place.fetch(names, { platforms: ['linux/amd64'] })).complete, 2);
  const { complete, failures } = await place.fetch(names, { platforms: ['linux/arm64'] });
  assert.equal(complete, 1);
  assert.deepEqual(
    failures.map(({ image, code }) => [image, code]),
    [['docker.io/library/x:v1', 'MANIFEST_UNKNOWN']],
  );
});

test('referrers come along when asked for: signatures, and what build tools list beside an image', async () => {
  await using place = await filling();
  const built = addIndex(place);
  const { amd, attestation, signature } = built;
  await place.fetch(['x:v1'], { platforms: ['linux/amd64'] });
  const without = [...frameOf(built).map(({ digest }) => digest), ...layersOf(amd)];
  assert.deepEqual(await stored(place), new Set(without));
  await place.fetch(['x:v1'], { platforms: ['linux/amd64'], referrers: 'copied' });
  const all = [...without, ...digestsOf(attestation), ...digestsOf(signature)];
  assert.deepEqual(await stored(place), new Set(all));
  // They are listed with nobody to ask.
  place.registry.misbehave({}, { kind: 'reset' });
  await place.restart();
  const { items } = await place.mirror.referrers(repository, amd.manifest.digest);
  assert.deepEqual(
    items.map(({ digest }) => digest),
    [signature.manifest.digest],
  );
});

test('so do those that cosign keeps under tags', async () => {
  await using place = await filling();
  const { index, amd, arm } = addIndex(place);
  const named = ({ digest }: { readonly digest: string }, suffix: string) =>
    place.registry.addImage('library/x', `${digest.replace(':', '-')}.${suffix}`, {
      layers: [`${digest} ${suffix}`],
    });
  const found = [named(index, 'sig'), named(amd.manifest, 'att')];
  const other = named(arm.manifest, 'sig');
  const { complete } = await place.fetch(['x:v1'], {
    platforms: ['linux/amd64'],
    referrers: 'copied',
  });
  assert.equal(complete, 1);
  const here = await stored(place);
  for (const digest of found.flatMap(digestsOf)) assert.ok(here.has(digest));
  for (const digest of layersOf(other)) assert.ok(!here.has(digest));
  const tags = (await place.tags.list(repository)).map(String);
  assert.deepEqual(
    tags.toSorted(),
    [
      'v1',
      `${index.digest.replace(':', '-')}.sig`,
      `${amd.manifest.digest.replace(':', '-')}.att`,
    ].toSorted(),
  );
});

test('a pattern is expanded by the upstream’s tags, and says how many fit', async () => {
  await using place = await filling();
  const tags = ['1.27.0', '1.27.1', '1.28.0', '2.0.0', 'latest'];
  for (const one of tags) place.registry.addImage('library/x', one, { config: { one } });
  const summary = await place.fetch(['x:1.27.*', 'docker.io/library/x:1.27.1']);
  assert.equal(summary.complete, 2);
  const [expanded] = place.events;
  assert.deepEqual(expanded, { type: 'expanded', pattern: 'x:1.27.*', matched: 2, of: 5 });
  assert.equal((await place.fetch(['x'])).complete, 1);
});

for (const [what, name, reason] of [
  ['a pattern that fits nothing', 'x:9.*', /none of 3 tags fits x:9\.\*/],
  ['a pattern that fits too much', 'x:*', /3 of 3 tags fit x:\*, more than the 2/],
  ['a pattern of names', 'docker.io/library/*:v1', /\* may stand in the tag only/],
  ['a registry that is not configured', 'nowhere.example/x:v1', /upstreams\.nowhere\.example/],
  ['what is no name', 'X Y', /not an image reference/],
  ['a tag that is not there', 'x:none', /none is not there/],
] as const) {
  test(`${what} is a failure, and the rest comes`, async () => {
    await using place = await filling();
    for (const one of ['v1', 'v2', 'v3']) place.registry.addImage('library/x', one);
    const summary = await place.fetch([name, 'x:v1'], { maxTags: 2 });
    assert.equal(summary.complete, 1);
    assert.equal(summary.failures.length, 1);
    assert.match(summary.failures[0]!.reason, reason);
    assert.equal((await place.tags.get(repository, tag))?.descriptor !== undefined, true);
  });
}

test('an alias of an upstream is that upstream', async () => {
  await using place = await filling();
  place.registry.addImage('team/y', 'v1');
  assert.equal((await place.fetch(['also.example/team/y:v1'])).complete, 1);
  const record = await place.tags.get({ host: 'other.example', path: 'team/y' }, tag);
  assert.ok(record !== undefined);
});

test('a blob that cannot be had fails its image alone; the tag is not said to mean it', async () => {
  await using place = await filling({ retries: 0 });
  const broken = place.registry.addImage('library/x', 'v1', { layers: ['gone', 'here'] });
  place.registry.addImage('library/x', 'v2', { layers: ['here'] });
  place.registry.removeBlob(broken.layers[0]!.digest);
  const summary = await place.fetch(['x:v1', 'x:v2']);
  assert.equal(summary.complete, 1);
  assert.deepEqual(
    summary.failures.map(({ image, code }) => [image, code]),
    [['docker.io/library/x:v1', 'BLOB_UNKNOWN']],
  );
  assert.equal(await place.tags.get(repository, tag), undefined);
});

test('what images share is fetched once, and counted once', async () => {
  await using place = await filling();
  const layers = [{ size: 100 * KiB, seed: 5 }];
  for (const one of ['v1', 'v2', 'v3']) {
    place.registry.addImage('library/x', one, { layers, config: { one } });
  }
  const summary = await place.fetch(['x:v*']);
  assert.equal(summary.complete, 3);
  assert.equal(summary.fetched.blobs, 7);
  assert.equal(place.registry.bytesSent({ method: 'GET', path: /\/blobs\// }) < 110 * KiB, true);
});

test('a budget that does not take it all: the failure says so, and what is there is within it', async () => {
  const limits = { maxSize: 200 * KiB, lowWater: 0.9, minFree: 0 };
  await using place = await filling({ housekeeping: { limits } });
  place.registry.addImage('library/x', 'small', { layers: [{ size: 20 * KiB, seed: 1 }] });
  place.registry.addImage('library/x', 'large', { layers: [{ size: 300 * KiB, seed: 2 }] });
  const { complete, failures } = await place.fetch(['x:small', 'x:large']);
  assert.equal(complete, 1);
  assert.equal(failures[0]?.code, 'STORAGE_UNAVAILABLE');
  assert.match(failures[0].reason, /no room for sha256:.*storage\.maxSize/);
});

test('what has to make way for what comes later in the same run is no success', async () => {
  const limits = { maxSize: 200 * KiB, lowWater: 0.9, minFree: 0 };
  await using place = await filling({ housekeeping: { limits } });
  for (let seed = 1; seed <= 8; seed += 1) {
    const layers = [{ size: 60 * KiB, seed }];
    place.registry.addImage('library/x', `v${seed}`, { layers, config: { seed } });
  }
  const { complete, failures } = await place.fetch(['x:v*']);
  assert.ok(complete <= 3, `${complete}`);
  assert.equal(complete + failures.length, 8);
  assert.ok(failures.some(({ reason }) => /left again to make room/.test(reason)));
});

test("what an upstream's share takes away is no success, and the failure names the share", async () => {
  const shares = new Map([['docker.io', 150 * KiB]]);
  await using place = await filling({ housekeeping: { shares } });
  const images = new Map(
    ['v1', 'v2', 'v3', 'v4'].map((tag, seed) => {
      const layers = [{ size: 60 * KiB, seed }];
      return [tag, place.registry.addImage('library/x', tag, { layers, config: { seed } })];
    }),
  );
  const { complete, failures } = await place.fetch(['x:v*']);
  const reasons = failures.map(({ code, reason }) => `${code} ${reason}`);
  assert.ok(complete <= 2, `${complete} complete`);
  assert.equal(complete + failures.length, 4);
  for (const reason of reasons) {
    const said =
      /^STORAGE_UNAVAILABLE .*left again.*: upstreams\.docker\.io\.maxSize or storage\.max/;
    assert.match(reason, said);
  }
  // What was called complete still is when the share is looked at again.
  await place.housekeeping.round();
  for (const [tag, { manifest, config, layers }] of images) {
    if (failures.some(({ image }) => image.endsWith(`:${tag}`))) continue;
    for (const { digest } of [manifest, config, ...layers]) {
      assert.notEqual(await place.store.size(digest), undefined, `${tag} ${digest}`);
    }
  }
});

test('a dry run tells the same and leaves nothing', async () => {
  await using place = await filling();
  addIndex(place);
  const dry = await place.fetch(['x:v1'], { platforms: ['linux/amd64'], dry: true });
  assert.equal(place.registry.count(BLOBS), 0);
  assert.deepEqual(await stored(place), new Set());
  assert.equal(await place.tags.get(repository, tag), undefined);
  assert.deepEqual(await place.fetch(['x:v1'], { platforms: ['linux/amd64'] }), dry);
  const again = await place.fetch(['x:v1'], { platforms: ['linux/amd64'], dry: true });
  assert.deepEqual(again.held, dry.fetched);
});

test('an upstream that cannot be asked: what is cached is enough, and it is told', async () => {
  await using place = await filling();
  place.registry.addImage('library/x', 'v1');
  await place.fetch(['x:v1']);
  place.advance(61_000);
  place.registry.misbehave({}, { kind: 'reset' });
  const { complete } = await place.fetch(['x:v1']);
  assert.equal(complete, 1);
  const done = place.events.findLast((event) => event.type === 'image-done');
  assert.match(done?.notes.join() ?? '', /could not be asked \(unreachable\)/);
});

test('a tag that moves while its image comes is followed', async () => {
  await using place = await filling({ policy: { freshFor: 0 } });
  addIndex(place);
  const held = gate();
  place.registry.misbehave({ ...BLOBS, times: 1 }, { kind: 'hold-headers', gate: held });
  const running = place.fetch(['x:v1'], { platforms: ['linux/amd64'] });
  await place.registry.seen(BLOBS);
  const moved = addIndex(place, 'v1', 7);
  held.open();
  assert.equal((await running).complete, 1);
  assert.equal((await place.tags.get(repository, tag))?.descriptor.digest, moved.index.digest);
  const here = await stored(place);
  for (const digest of digestsOf(moved.amd)) assert.ok(here.has(digest));
});

test('a signal ends it also while the upstream does not answer, and fails nothing', async () => {
  await using place = await filling();
  const ending = new AbortController();
  place.registry.misbehave({}, { kind: 'never-answer' });
  const running = place.fetch(['x:v1', 'y:1.*'], { signal: ending.signal });
  running.catch(() => {});
  await place.registry.seen({ path: /tags\/list/ });
  ending.abort();
  await assert.rejects(running, { code: 'INTERRUPTED' });
  assert.deepEqual(
    place.events.filter(({ type }) => type === 'image-failed'),
    [],
  );
});

test('a signal ends it, and nothing of it runs on', async () => {
  await using place = await filling();
  addIndex(place);
  const held = gate();
  place.registry.misbehave(BLOBS, { kind: 'hold-headers', gate: held });
  const ending = new AbortController();
  const running = place.fetch(['x:v1', 'x:v2'], { signal: ending.signal });
  running.catch(() => {});
  await place.registry.seen(BLOBS);
  ending.abort();
  held.open();
  await assert.rejects(running, fails('INTERRUPTED'));
  assert.equal(await place.tags.get(repository, tag), undefined);
});

test('layers that a registry does not hand on are left out, and told', async () => {
  await using place = await filling();
  const here = place.registry.addImage('library/x', undefined, { layers: ['a'] });
  const { mediaType: _type, ...layer } = here.layers[0]!;
  const foreign = {
    ...layer,
    mediaType: 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip',
    digest: `sha256:${'0'.repeat(64)}`,
  };
  const { config } = here;
  place.registry.addManifest('library/x', 'v1', {
    schemaVersion: 2,
    config,
    layers: [foreign, ...here.layers],
  });
  const { complete, failures } = await place.fetch(['x:v1']);
  assert.deepEqual({ complete, failures }, { complete: 1, failures: [] });
  const done = place.events.find((event) => event.type === 'image-done');
  assert.match(done?.notes.join() ?? '', /does not hand on/);
});

test('too many names are refused', async () => {
  await using place = await filling();
  const names = Array.from({ length: 10_001 }, (_, index) => `x:${index}`);
  await assert.rejects(place.fetch(names), fails('REQUEST_INVALID'));
});

test('an index some of whose images its registry lacks is whole all the same', async () => {
  await using place = await filling();
  const { arm, amd } = addIndex(place);
  place.registry.removeManifest('library/x', arm.manifest.digest);
  assert.equal((await place.fetch(['x:v1'], { platforms: ['linux/amd64'] })).complete, 1);
  place.registry.removeBlob(arm.config.digest);
  assert.equal((await place.fetch(['x:v1'], { platforms: ['linux/amd64'] })).complete, 1);
  const { failures } = await place.fetch(['x:v1'], { platforms: ['linux/arm64'] });
  assert.equal(failures.length, 1);
  const here = await stored(place);
  for (const digest of digestsOf(amd)) assert.ok(here.has(digest));
});
