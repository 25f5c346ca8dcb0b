import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RegistryError } from '../../src/core/errors.ts';
import { hostPlatform, parsePlatform } from '../../src/core/platform.ts';
import { parseTag } from '../../src/core/reference.ts';
import { choose, leavesOf } from '../../src/image/choose.ts';
import { MemorySource } from '../fixtures/memory-source.ts';
import { putImage, putIndex, REPOSITORY, type EntryOptions } from './image-world.ts';

const TAG = parseTag('latest');
const UNKNOWN: EntryOptions = { platform: { os: 'unknown', architecture: 'unknown' } };

/** An index with an image for each platform, by its text; `-` has none. */
function indexed(...platforms: readonly string[]) {
  const source = new MemorySource();
  const images = new Map(
    platforms.map((text, seed) => {
      const [os = '', architecture = '', variant] = text.split('/');
      const platform = { os, architecture, ...(variant !== undefined && { variant }) };
      return [text, { platform, image: putImage(source, { platform, seed: seed + 1 }) }] as const;
    }),
  );
  putIndex(
    source,
    [...images.values()].map(({ platform, image }) => [image.manifest, { platform }] as const),
    ['latest'],
  );
  const chosen = async (platform?: string): Promise<string | undefined> => {
    const wanted = platform === undefined ? undefined : parsePlatform(platform);
    const { manifest } = await choose(source, REPOSITORY, TAG, wanted);
    const { digest } = manifest.descriptor;
    return [...images].find(([, { image }]) => image.manifest.descriptor.digest === digest)?.[0];
  };
  return { source, chosen };
}

const rows: readonly [offered: readonly string[], wanted: string, chosen: string][] = [
  [['linux/arm64', 'linux/amd64'], 'linux/amd64', 'linux/amd64'],
  [['linux/arm64/v8', 'linux/amd64'], 'linux/arm64', 'linux/arm64/v8'],
  [['linux/arm64', 'linux/amd64'], 'linux/arm64/v8', 'linux/arm64'],
  [['linux/arm/v5', 'linux/arm/v7'], 'linux/arm', 'linux/arm/v7'],
  [['linux/arm/v5', 'linux/arm/v6'], 'linux/arm', 'linux/arm/v5'],
  [['linux/arm/v5', 'linux/arm/v6', 'linux/arm/v7'], 'linux/arm/v6', 'linux/arm/v6'],
  [['linux/amd64/v3', 'linux/amd64'], 'linux/amd64', 'linux/amd64'],
  [['linux/amd64', 'linux/amd64/v3'], 'linux/amd64/v3', 'linux/amd64/v3'],
  [['windows/amd64', 'linux/amd64'], 'amd64', 'linux/amd64'],
  [['windows/amd64', 'linux/amd64'], 'windows/x86_64', 'windows/amd64'],
];
for (const [offered, wanted, expected] of rows) {
  test(`of ${offered.join(' ')}, ${wanted} is ${expected}`, async () => {
    assert.equal(await indexed(...offered).chosen(wanted), expected);
  });
}

test("without a platform it is this machine's", async () => {
  const { os, architecture } = hostPlatform();
  const own = `${os}/${architecture}`;
  assert.equal(await indexed('plan9/sparc', own, 'linux/s390x').chosen(), own);
});

test('no match lists what there is, a variant that was asked for included', async () => {
  const { chosen } = indexed('linux/arm/v5', 'linux/s390x');
  for (const wanted of ['linux/arm/v7', 'windows/amd64']) {
    await assert.rejects(chosen(wanted), (error) => {
      assert.ok(error instanceof RegistryError);
      assert.equal(error.code, 'MANIFEST_UNKNOWN');
      assert.deepEqual(error.detail, { platforms: ['linux/arm/v5', 'linux/s390x'] });
      assert.match(error.message, /registry\.test\/team\/app:latest/);
      assert.match(error.message, /linux\/arm\/v5, linux\/s390x/);
      return true;
    });
  }
});

test('attestations are not images, whatever they call themselves', async () => {
  const source = new MemorySource();
  const attestation = putImage(source, { seed: 1 }).manifest;
  const image = putImage(source, { seed: 2 }).manifest;
  const platform = { os: 'linux', architecture: 'amd64' };
  putIndex(
    source,
    [
      [attestation, UNKNOWN],
      [
        attestation,
        { platform, annotations: { 'vnd.docker.reference.type': 'attestation-manifest' } },
      ],
      [image, { platform }],
    ],
    ['latest'],
  );
  const chosen = await choose(source, REPOSITORY, TAG, parsePlatform('linux/amd64'));
  assert.equal(chosen.manifest.descriptor.digest, image.descriptor.digest);
  await assert.rejects(
    choose(source, REPOSITORY, TAG, parsePlatform('unknown/unknown')),
    (error) => error instanceof RegistryError && error.code === 'MANIFEST_UNKNOWN',
  );
});

test('indexes may be nested, and hand their platform down', async () => {
  const source = new MemorySource();
  const platform = { os: 'linux', architecture: 's390x' };
  const image = putImage(source, { platform }).manifest;
  const other = putImage(source, { seed: 2 }).manifest;
  const inner = putIndex(source, [[image]]);
  const middle = putIndex(source, [
    [other, { platform: { os: 'linux', architecture: 'amd64' } }],
    [inner, { platform }],
  ]);
  const outer = putIndex(source, [[middle]], ['latest']);
  const chosen = await choose(source, REPOSITORY, TAG, parsePlatform('linux/s390x'));
  assert.equal(chosen.manifest.descriptor.digest, image.descriptor.digest);
  assert.equal(chosen.index?.descriptor.digest, outer.descriptor.digest);
  assert.deepEqual(chosen.platform, platform);
  assert.equal((await leavesOf(source, REPOSITORY, outer)).length, 2);
});

test('indexes nested without end are refused', async () => {
  const source = new MemorySource();
  let top = putIndex(source, [[putImage(source).manifest]]);
  for (let depth = 0; depth < 20; depth += 1) top = putIndex(source, [[top]], ['latest']);
  await assert.rejects(
    choose(source, REPOSITORY, TAG),
    (error) => error instanceof RegistryError && error.code === 'MANIFEST_INVALID',
  );
});

test('an entry that states no platform is known by its config', async () => {
  const source = new MemorySource();
  const images = ['amd64', 's390x'].map((architecture, seed) =>
    putImage(source, { platform: { os: 'linux', architecture }, seed }),
  );
  putIndex(
    source,
    images.map(({ manifest }) => [manifest] as const),
    ['latest'],
  );
  const { manifest } = await choose(source, REPOSITORY, TAG, parsePlatform('linux/s390x'));
  assert.equal(manifest.descriptor.digest, images[1]?.manifest.descriptor.digest);
});

test('a single image is taken as it is, and not for a platform that it is not', async () => {
  const source = new MemorySource();
  const platform = { os: 'linux', architecture: 's390x' };
  const { manifest } = putImage(source, { platform, tags: ['latest'] });
  const taken = await choose(source, REPOSITORY, TAG);
  assert.equal(taken.manifest.descriptor.digest, manifest.descriptor.digest);
  assert.equal(taken.index, undefined);
  assert.deepEqual(
    source.calls.map((call) => call.split(' ')[0]),
    ['manifest'],
  );
  const asked = await choose(source, REPOSITORY, TAG, parsePlatform('s390x'));
  assert.deepEqual(asked.platform, platform);
  await assert.rejects(choose(source, REPOSITORY, TAG, parsePlatform('amd64')), (error) => {
    assert.ok(error instanceof RegistryError);
    assert.deepEqual(error.detail, { platforms: ['linux/s390x'] });
    return true;
  });
});
