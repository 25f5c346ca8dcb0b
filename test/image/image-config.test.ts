import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Descriptor } from '../../src/core/descriptor.ts';
import { digestOf } from '../../src/core/digest.ts';
import { RegistryError } from '../../src/core/errors.ts';
import { parseImageManifest } from '../../src/core/image-manifest.ts';
import { buildSteps, parseImageConfig, readImageConfig } from '../../src/image/image-config.ts';
import { MemorySource } from '../fixtures/memory-source.ts';
import { putImage, REPOSITORY } from './image-world.ts';

const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));
const digest = (text: string) => digestOf(Buffer.from(text));
const layer = (text: string, size: number): Descriptor => ({
  mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip',
  digest: digest(text),
  size,
});

const CONFIG = {
  created: '2024-05-01T10:00:00.123456789Z',
  author: 'someone',
  architecture: 'arm',
  variant: 'v7',
  os: 'linux',
  config: {
    Env: ['PATH=/bin', 'A=b=c'],
    Entrypoint: ['/entry'],
    Cmd: ['serve', '--all'],
    WorkingDir: '/srv',
    User: '1000:1000',
    ExposedPorts: { '8080/tcp': {}, '53/udp': {} },
    Volumes: { '/data': {} },
    Labels: { a: 'b' },
    StopSignal: 'SIGINT',
  },
  rootfs: { type: 'layers', diff_ids: [digest('one'), digest('two')] },
  history: [
    { created_by: 'ADD rootfs', created: '2024-05-01T09:00:00Z' },
    { created_by: 'ENV A=b=c', empty_layer: true, comment: 'buildkit' },
    { created_by: 'COPY . .' },
  ],
};

test('a config is read whole', () => {
  const config = parseImageConfig(json(CONFIG));
  assert.deepEqual(config.platform, { os: 'linux', architecture: 'arm', variant: 'v7' });
  assert.equal(config.created, CONFIG.created);
  assert.deepEqual(config.env, ['PATH=/bin', 'A=b=c']);
  assert.deepEqual(config.entrypoint, ['/entry']);
  assert.deepEqual(config.cmd, ['serve', '--all']);
  assert.equal(config.workdir, '/srv');
  assert.equal(config.user, '1000:1000');
  assert.deepEqual(config.ports, ['8080/tcp', '53/udp']);
  assert.deepEqual(config.volumes, ['/data']);
  assert.deepEqual(config.labels, { a: 'b' });
  assert.equal(config.stopSignal, 'SIGINT');
  assert.equal(config.diffIds.length, 2);
});

test('every step has the layer it made, empty ones have none', () => {
  const layers = [layer('l1', 100), layer('l2', 20)];
  const steps = buildSteps(parseImageConfig(json(CONFIG)), layers);
  assert.deepEqual(
    steps.map(({ createdBy, layer }) => [createdBy, layer?.descriptor.size, layer?.diffId]),
    [
      ['ADD rootfs', 100, digest('one')],
      ['ENV A=b=c', undefined, undefined],
      ['COPY . .', 20, digest('two')],
    ],
  );
});

test('every layer is shown once, whatever the history says', () => {
  const layers = [layer('l1', 1), layer('l2', 2), layer('l3', 3)];
  const indexes = (history: unknown) =>
    buildSteps(parseImageConfig(json({ history })), layers).map(({ layer }) => layer?.index);
  assert.deepEqual(indexes(undefined), [0, 1, 2]);
  assert.deepEqual(indexes([{ created_by: 'a' }]), [0, 1, 2]);
  assert.deepEqual(indexes([{}, {}, {}, {}, { empty_layer: true }]), [
    0,
    1,
    2,
    undefined,
    undefined,
  ]);
});

test("diff ids that are not one a layer are nobody's", () => {
  const steps = buildSteps(parseImageConfig(json(CONFIG)), [layer('l1', 1)]);
  assert.deepEqual(
    steps.map(({ layer }) => layer?.diffId),
    [undefined, undefined, undefined],
  );
});

test('whatever is in it, reading never fails', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.uint8Array(),
        fc.json().map((text) => Buffer.from(text)),
      ),
      (bytes) => {
        assert.ok(Array.isArray(parseImageConfig(bytes).history));
      },
    ),
  );
  const odd = {
    config: { Env: 'x', Cmd: [1, 'y'], Labels: { a: 1 } },
    rootfs: [],
    history: [null],
  };
  const config = parseImageConfig(json(odd));
  assert.deepEqual([config.env, config.cmd, config.labels, config.history], [[], ['y'], {}, []]);
});

test('a config of other bytes than the manifest lists is refused', async () => {
  const source = new MemorySource();
  const { manifest, config } = putImage(source);
  const image = parseImageManifest(manifest.bytes);
  assert.equal((await readImageConfig(source, REPOSITORY, image)).platform?.os, 'linux');
  const lies: readonly [Partial<Descriptor>, string][] = [
    [{ size: config.size + 1 }, 'SIZE_INVALID'],
    [{ size: config.size - 1 }, 'SIZE_INVALID'],
    [{ size: 2 ** 40 }, 'SIZE_INVALID'],
  ];
  for (const [lie, code] of lies) {
    await assert.rejects(
      readImageConfig(source, REPOSITORY, { ...image, config: { ...config, ...lie } }),
      (error) => error instanceof RegistryError && error.code === code,
    );
  }
  source.behave({ shortAt: 10 });
  await assert.rejects(readImageConfig(source, REPOSITORY, image));
  assert.equal(source.open, 0);
});
