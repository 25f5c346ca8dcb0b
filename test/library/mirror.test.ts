import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RegistryError } from '../../src/core/errors.ts';
import { Pulse } from '../../src/core/pulse.ts';
import { openMirror, type OpenMirror } from '../../src/library/mirror.ts';
import { buildImage } from '../fixtures/image-builder.ts';
import { temporaryFolder } from '../fixtures/temporary.ts';

const LAYERS = [1, 2, 3].map((number) => Buffer.alloc(400_000, number));

const unavailable = (): never => {
  throw new RegistryError('NAME_UNKNOWN', 'nobody is asked');
};

async function read({ source }: OpenMirror, image: ReturnType<typeof buildImage>, layer: number) {
  await using blob = await source.blob(image.repository, image.layers[layer]!.digest);
  const bytes = Buffer.concat(await Array.fromAsync(blob.body));
  return { bytes, result: blob.served?.result };
}

test('content is fetched once, and here for the next one who opens the store', async () => {
  await using folder = await temporaryFolder();
  const image = buildImage(LAYERS);
  const at = image.manifest.descriptor.digest;
  {
    await using mirror = await openMirror({ folder: folder.path, upstream: () => image.source });
    const { descriptor } = await mirror.source.manifest(image.repository, at);
    assert.equal(descriptor.digest, at);
    assert.deepEqual(await read(mirror, image, 0), { bytes: LAYERS[0], result: 'miss' });
  }
  await using mirror = await openMirror({ folder: folder.path, upstream: unavailable });
  assert.deepEqual(await read(mirror, image, 0), { bytes: LAYERS[0], result: 'hit' });
});

test('a store has one mirror at a time', async () => {
  await using folder = await temporaryFolder();
  const options = { folder: folder.path, upstream: unavailable };
  {
    await using _ = await openMirror(options);
    await assert.rejects(openMirror(options), { code: 'STORAGE_UNAVAILABLE' });
  }
  await (await openMirror(options))[Symbol.asyncDispose]();
});

test('a limit holds, and what had to go is asked for again', async () => {
  await using folder = await temporaryFolder();
  const image = buildImage(LAYERS);
  const evicted: string[] = [];
  const ended = new Pulse();
  let downloads = 0;
  await using mirror = await openMirror({
    folder: folder.path,
    upstream: () => image.source,
    maxSize: 1_000_000,
    observe: (event) => {
      if (event.type === 'evicted') evicted.push(event.digest);
      if (event.type !== 'download-ended') return;
      downloads += 1;
      ended.give();
    },
  });
  for (const layer of [0, 1, 2]) {
    await read(mirror, image, layer);
    while (downloads <= layer) await ended.wait();
  }
  assert.ok(evicted.length > 0);
  const gone = image.layers.findIndex(({ digest }) => digest === evicted[0]);
  assert.deepEqual(await read(mirror, image, gone), { bytes: LAYERS[gone], result: 'miss' });
});
