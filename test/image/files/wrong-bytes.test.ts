import assert from 'node:assert/strict';
import path from 'node:path';
import { readdir } from 'node:fs/promises';
import { describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { RegistryError } from '../../../src/core/errors.ts';
import { findFiles } from '../../../src/image/files/find.ts';
import { getPath } from '../../../src/image/files/get.ts';
import { listImage, listLayer } from '../../../src/image/files/list.ts';
import { openFile } from '../../../src/image/files/open-file.ts';
import { collect, pattern } from '../../fixtures/collect.ts';
import { buildImage, type BuiltImage } from '../../fixtures/image-builder.ts';
import { file, layerOf, tarOf, type Packing } from '../../fixtures/layer-builder.ts';
import { temporaryFolder } from '../../fixtures/temporary.ts';

/** An image of one layer, one byte of which was changed after its digest was taken. */
function damaged(layer: Buffer, at: number, packing: Packing = 'none'): BuiltImage {
  const built = buildImage([layer], { packing });
  layer[at] = (layer[at] ?? 0) ^ 1;
  return built;
}

async function cat(image: BuiltImage, at: string): Promise<Buffer> {
  try {
    await using opened = await openFile(image, at);
    return await collect(opened.body);
  } finally {
    assert.equal(image.source.open, 0, 'something was left open');
  }
}

/** Data that is stored as it is: a changed byte of it is no damage that inflating would find. */
const stored = (tar: Uint8Array): Buffer => gzipSync(tar, { level: 0 });

const isDamage = (error: unknown): boolean => {
  assert.ok(error instanceof RegistryError, String(error));
  assert.equal(error.code, 'DIGEST_INVALID');
  assert.match(error.message, /^layer 0 \(sha256:[0-9a-f]{64}\) is damaged: /);
  return true;
};

describe('bytes that are not those of the digest', () => {
  const small = [file('a', 'AAAA'), file('b', 'BBBB')];
  const ways: Readonly<Record<string, (image: BuiltImage, folder: string) => Promise<unknown>>> = {
    'a list of the image': (image) => Array.fromAsync(listImage(image)),
    'a list of the layer': (image) => Array.fromAsync(listLayer(image, 0)),
    'a search': (image) => Array.fromAsync(findFiles(image, 'a')),
    'a file that is read': (image) => cat(image, 'a'),
    'a file that is looked for': (image) => cat(image, 'nothing'),
    'a file that is saved': (image, folder) => getPath(image, 'a', path.join(folder, 'a')),
  };
  for (const [way, read] of Object.entries(ways)) {
    for (const packing of ['none', 'gzip'] as const) {
      test(`${way}, ${packing}`, async () => {
        await using temporary = await temporaryFolder();
        const layer = packing === 'none' ? tarOf(small) : stored(tarOf(small));
        const at = layer.indexOf('BBBB');
        assert.ok(at > 0);
        await assert.rejects(read(damaged(layer, at, packing), temporary.path), isDamage);
        assert.deepEqual(await readdir(temporary.path), []);
      });
    }
  }

  test('in pieces, of which the last is the wrong one', async () => {
    const layer = stored(tarOf([file('z', pattern(391 * 1024))]));
    await assert.rejects(cat(damaged(layer, layer.length - 5000, 'gzip'), 'z'), isDamage);
    const tar = tarOf([file('z', pattern(391 * 1024))]);
    await assert.rejects(cat(damaged(tar, 700), 'z'), isDamage);
  });

  test('where the file ends before the layer does, but all of that is on its way', async () => {
    const layer = tarOf([file('a', pattern(150_000)), file('b', pattern(100_000, 2))]);
    const image = damaged(layer, layer.length - 20_000);
    await assert.rejects(cat(image, 'a'), isDamage);
    await using temporary = await temporaryFolder();
    await assert.rejects(getPath(image, 'a', path.join(temporary.path, 'a')), isDamage);
    assert.deepEqual(await readdir(temporary.path), []);
  });

  test('in what follows the archive, whatever packs it', async () => {
    const items = [file('a', 'a')];
    for (const packing of ['none', 'gzip'] as const) {
      const layer = Buffer.concat([layerOf(items, packing), Buffer.alloc(400_000)]);
      const image = damaged(layer, layer.length - 1, packing);
      await assert.rejects(Array.fromAsync(listImage(image)), isDamage, packing);
    }
  });

  test('right bytes are no damage, in chunks of any size, with something behind the archive', async () => {
    const items = [file('a', 'a'), file('z', pattern(300_000))];
    for (const packing of ['none', 'gzip', 'zstd'] as const) {
      const tail = packing === 'zstd' ? Buffer.alloc(0) : Buffer.alloc(400_000);
      const image = buildImage([Buffer.concat([layerOf(items, packing), tail])], { packing });
      for (const chunk of [1000, 65_536, 10_000_000]) {
        image.source.behave({ chunk });
        assert.equal((await Array.fromAsync(listImage(image))).length, 2);
        assert.equal((await cat(image, 'z')).length, 300_000);
        await assert.rejects(cat(image, 'nothing'), /no layer has it/);
      }
    }
  });

  test('what is passed over is not fetched to be checked', async () => {
    const layer = tarOf([file('large', pattern(5_000_000)), file('wanted', 'w')]);
    const image = damaged(layer, 2_000_000);
    let fetched = 0;
    const observe = ({ bytes }: { readonly bytes: number }): void => void (fetched += bytes);
    assert.equal((await Array.fromAsync(listImage(image, { observe }))).length, 2);
    await using opened = await openFile(image, 'wanted', { observe });
    assert.equal((await collect(opened.body)).toString(), 'w');
    assert.ok(fetched < 1_000_000, `${fetched}`);
  });
});
