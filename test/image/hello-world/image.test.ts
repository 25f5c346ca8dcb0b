import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { digestOf } from '../../../src/core/digest.ts';
import { entriesOf } from '../../../src/core/image-index.ts';
import { parseImageManifest } from '../../../src/core/image-manifest.ts';
import { parseTag } from '../../../src/core/reference.ts';
import { GREETING, HELLO_WORLD, helloWorldArchive } from '../../../src/image/hello-world/image.ts';
import { writingProgram } from '../../../src/image/hello-world/program.ts';
import { storeSource } from '../../../src/image/store-source.ts';
import { wholeOf } from '../../../src/core/whole.ts';
import { openWorld, once } from '../bundle/world.ts';
import { walkTar } from '../../../src/layer/tar.ts';

const REPOSITORY = { host: 'docker.io', path: 'library/hello-world' };

test('the image is the same on every machine', () => {
  assert.equal(
    digestOf(helloWorldArchive()),
    'sha256:d8c8b76d9e806c115518895d989fd1547c67305cf3ce09a4fae8c0cd7dae02fa',
  );
});

test('imported, it is an image for two platforms with one program each', async () => {
  await using world = await openWorld();
  const { images } = await world.import(helloWorldArchive());
  assert.deepEqual(
    images.map(({ name }) => name),
    [HELLO_WORLD],
  );
  const source = storeSource(world.store.paths);
  const index = await source.manifest(REPOSITORY, parseTag('latest'));
  const entries = entriesOf(index.bytes);
  assert.deepEqual(
    entries.map(({ platform }) => platform?.architecture),
    ['amd64', 'arm64'],
  );
  for (const { digest, platform } of entries) {
    const { bytes } = await source.manifest(REPOSITORY, digest);
    const { config, layers } = parseImageManifest(bytes);
    const read = async (digest: typeof config.digest) => {
      await using blob = await source.blob(REPOSITORY, digest);
      return wholeOf(blob);
    };
    const { architecture, rootfs } = JSON.parse(Buffer.from(await read(config.digest)).toString());
    assert.equal(architecture, platform?.architecture);
    const [layer] = layers;
    assert.ok(layer);
    const plain = gunzipSync(await read(layer.digest));
    assert.deepEqual(rootfs.diff_ids, [digestOf(plain)]);
    const files: unknown[] = [];
    for await (const entry of walkTar(once(plain))) {
      const parts: Uint8Array[] = [];
      for await (const part of entry.content()) parts.push(part);
      files.push([entry.name, entry.mode, Buffer.concat(parts)]);
    }
    const machine = architecture === 'amd64' ? 'amd64' : 'arm64';
    assert.deepEqual(files, [['hello', 0o755, Buffer.from(writingProgram(machine, GREETING))]]);
  }
});
