import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { RegistryError } from '../../../src/core/errors.ts';
import { listImage } from '../../../src/image/files/list.ts';
import { openFile, type OpenFileOptions } from '../../../src/image/files/open-file.ts';
import { collect, pattern } from '../../fixtures/collect.ts';
import { buildImage, type BuiltImage } from '../../fixtures/image-builder.ts';
import {
  blocksOf,
  file,
  folder,
  hardlink,
  layerOf,
  opaque,
  symlink,
  tarOf,
  whiteout,
  type Item,
} from '../../fixtures/layer-builder.ts';

async function cat(
  image: BuiltImage,
  path: string,
  options: OpenFileOptions = {},
): Promise<string> {
  try {
    await using opened = await openFile(image, path, options);
    return (await collect(opened.body)).toString();
  } finally {
    assert.equal(image.source.open, 0, 'something was left open');
  }
}

const missing =
  (pattern: RegExp) =>
  (error: unknown): boolean => {
    assert.ok(error instanceof RegistryError, String(error));
    assert.equal(error.code, 'FILE_UNKNOWN');
    assert.match(error.message, pattern);
    return true;
  };

const image = (...layers: readonly (readonly Item[])[]): BuiltImage => buildImage(layers);

describe('one file', () => {
  test('the newest one, and what newer layers delete is gone', async () => {
    const built = image(
      [
        folder('etc'),
        file('etc/a', 'old'),
        file('etc/b', 'b'),
        file('etc/o/x', 'x'),
        file('f/x', 'x'),
        file('kept', 'k'),
      ],
      [file('etc/a', 'new'), whiteout('etc/b'), opaque('etc/o'), file('f', 'now a file')],
      [file('other')],
    );
    assert.equal(await cat(built, '/etc/a'), 'new');
    assert.equal(await cat(built, 'kept'), 'k');
    assert.equal(await cat(built, './f'), 'now a file');
    assert.equal(await cat(built, 'etc/a', { layer: 0 }), 'old');
    await assert.rejects(cat(built, 'etc/b'), missing(/layer 1 deletes etc\/b/));
    await assert.rejects(cat(built, 'etc/o/x'), missing(/layer 1 empties \/etc\/o/));
    await assert.rejects(cat(built, 'f/x'), missing(/layer 1 has \/f, which is no folder/));
    await assert.rejects(cat(built, 'nothing'), missing(/no layer has it/));
    await assert.rejects(cat(built, 'etc'), missing(/directory/));
    await assert.rejects(cat(built, 'etc/a', { layer: 2 }), missing(/layer 2 has no such entry/));
    await assert.rejects(cat(built, 'etc/a', { layer: 7 }), missing(/counted from 0/));
  });

  test('a file that is deleted and made anew in one layer is there', async () => {
    const built = image(
      [file('d/x', 'old'), file('d/y', 'y')],
      [opaque('d'), whiteout('d'), file('d/x', 'new')],
    );
    assert.equal(await cat(built, 'd/x'), 'new');
    await assert.rejects(cat(built, 'd/y'), missing(/layer 1/));
  });

  test('symbolic links anywhere on the way, absolute, relative, climbing, across layers', async () => {
    const built = image(
      [
        symlink('bin', 'usr/bin'),
        folder('usr/bin'),
        file('usr/bin/sh', 'shell'),
        symlink('usr/bin/abs', '/usr/bin/sh'),
        symlink('usr/lib', '../../../../usr/bin'),
        symlink('deep/er/up', '../../bin/sh'),
      ],
      [
        symlink('usr/bin/new', './sh'),
        symlink('tmp', 'usr/lib'),
        symlink('odd', 'bin/../odd-target'),
        file('usr/odd-target', 'odd'),
      ],
    );
    for (const path of [
      'bin/sh',
      'bin/abs',
      'usr/lib/sh',
      'deep/er/up',
      'bin/new',
      'tmp/new',
      '/../../bin/sh',
      'usr/./bin/../bin/sh',
      'bin/../bin/sh',
    ]) {
      assert.equal(await cat(built, path), 'shell', path);
    }
    // `bin/..` is where bin leads, one up.
    assert.equal(await cat(built, 'odd'), 'odd');
    assert.equal(await cat(built, 'bin/../odd-target'), 'odd');
    await assert.rejects(cat(built, 'usr/bin/sh/../sh'), missing(/no folder/));
  });

  test('links that lead in a circle, or nowhere, say so', async () => {
    const built = image([
      symlink('a', 'b'),
      symlink('b', 'a'),
      symlink('self/x', '../self/x'),
      symlink('dangling', 'gone'),
      hardlink('h', 'h'),
      symlink('down', 'down/down'),
    ]);
    for (const path of ['a', 'self/x', 'h', 'down'])
      await assert.rejects(cat(built, path), missing(/circle/), path);
    await assert.rejects(
      cat(built, 'dangling'),
      missing(/dangling \(at \/gone\): no layer has it/),
    );
  });

  test('hard links are what their target was in their own layer', async () => {
    const built = image(
      [file('t', 'first'), hardlink('same', './t')],
      [hardlink('across', 't')],
      [file('t', 'later')],
      [whiteout('t')],
    );
    assert.equal(await cat(built, 'same'), 'first');
    assert.equal(await cat(built, 'across'), 'first');
    await assert.rejects(cat(built, 't'), missing(/deletes/));
  });

  test('a folder of a newer layer stands where an older one has a link', async () => {
    const built = image(
      [symlink('lib', 'usr/lib'), file('usr/lib/x', 'through')],
      [file('lib/y', 'y')],
    );
    assert.equal(await cat(built, 'lib/y'), 'y');
    await assert.rejects(cat(built, 'lib/x'), missing(/layer 0 had \/lib/));
  });

  test('every file that a container sees is found, with its own content', async () => {
    const built = image(
      [folder('a'), file('a/1', 'a/1'), file('b', 'b'), file('c/d/e', 'c/d/e')],
      [file('a/2', 'a/2'), whiteout('b'), opaque('c'), file('c/f', 'c/f')],
      [file('b/x', 'b/x')],
    );
    for (const { path, type } of await Array.fromAsync(listImage(built))) {
      if (type === 'file') assert.equal(await cat(built, path), path);
    }
  });

  test('a sparse file comes with its holes', async () => {
    const pax = {
      'GNU.sparse.major': '1',
      'GNU.sparse.minor': '0',
      'GNU.sparse.name': 'real',
      'GNU.sparse.realsize': '20',
    };
    const map = Buffer.alloc(512);
    map.write('2\n4\n3\n10\n2\n');
    const built = image([
      file('GNUSparseFile.0/real', Buffer.concat([map, Buffer.from('abcde')]), { pax }),
    ]);
    assert.equal(await cat(built, 'real'), '\0\0\0\0abc\0\0\0de\0\0\0\0\0\0\0\0');
  });
});

const PACKERS = { gzip: gzipSync, zstd: zstdCompressSync } as const;

describe('what is fetched', () => {
  for (const packing of ['gzip', 'zstd'] as const) {
    test(`up to the end of the file, and less than 256 KiB more, ${packing}`, async () => {
      const items = [
        file('first', pattern(50_000, 9)),
        ...Array.from({ length: 40 }, (_, index) => file(`f${index}`, pattern(100_000, index))),
      ];
      const newer = [file('unrelated', pattern(300_000, 77))];
      const newest = layerOf(newer, packing);
      const built = buildImage([[file('below', pattern(2_000_000))], items, newest], { packing });
      for (const wanted of [0, 7, 20, 39]) {
        let fetched = 0;
        const layers = new Set<number>();
        const opened = await openFile(built, `f${wanted}`, {
          observe: ({ bytes, layer }) => {
            fetched += bytes;
            layers.add(layer);
          },
        });
        assert.ok((await collect(opened.body)).equals(pattern(100_000, wanted)));
        await opened[Symbol.asyncDispose]();
        const upTo = PACKERS[packing](
          Buffer.concat(items.slice(0, wanted + 2).map(blocksOf)),
        ).length;
        assert.ok(
          fetched <= newest.length + upTo + 256 * 1024,
          `${wanted}: ${fetched} for ${newest.length + upTo}`,
        );
        assert.ok(!layers.has(0));
      }
      assert.equal(built.source.open, 0);
    });
  }

  test('in a plain layer nothing of what lies before it but headers', async () => {
    const items = [
      file('large', pattern(5_000_000)),
      file('wanted', 'w'),
      file('rest', pattern(5_000_000)),
    ];
    const built = buildImage([tarOf(items)], { packing: 'none' });
    let fetched = 0;
    assert.equal(await cat(built, 'wanted', { observe: ({ bytes }) => (fetched += bytes) }), 'w');
    assert.ok(fetched < 600_000, `${fetched}`);
  });

  test('who reads a part of a large file causes a part to be fetched', async () => {
    const built = image([file('large', pattern(20_000_000))]);
    let fetched = 0;
    const opened = await openFile(built, 'large', { observe: ({ bytes }) => (fetched += bytes) });
    let read = 0;
    for await (const chunk of opened.body) {
      read += chunk.length;
      if (read > 1_000_000) break;
    }
    await opened[Symbol.asyncDispose]();
    assert.ok(fetched < 1_700_000, `${fetched}`);
    assert.equal(built.source.open, 0);
  });

  test('names of newer layers are read once, however many links there are', async () => {
    const built = image(
      [symlink('bin', 'usr/bin'), file('usr/bin/sh', 'shell')],
      [file('unrelated', pattern(500_000))],
    );
    await cat(built, 'bin/sh');
    const reads = built.source.calls.filter((call) =>
      call.includes(built.layers[1]?.digest ?? 'none'),
    );
    assert.equal(
      reads.length,
      Math.ceil((layerOf([file('unrelated', pattern(500_000))]).length - 65_536) / 131_072) + 1,
    );
  });

  test('a layer that is cut or not what it says is an error, and closed', async () => {
    const bytes = layerOf([file('a', pattern(300_000)), file('b', 'b')]);
    const cut = buildImage([bytes.subarray(0, 200_000)]);
    await assert.rejects(
      cat(cut, 'b'),
      (error: unknown) =>
        error instanceof RegistryError &&
        error.code === 'LAYER_INVALID' &&
        error.message.startsWith('layer 0 '),
    );
    const opened = await openFile(cut, 'a');
    await assert.rejects(collect(opened.body), /layer 0 .*truncated/);
    await opened[Symbol.asyncDispose]();
    assert.equal(cut.source.open, 0);
    const short = buildImage([bytes]);
    short.source.behave({ shortAt: 100_000 });
    await assert.rejects(
      cat(short, 'b'),
      (error: unknown) => error instanceof RegistryError && error.code === 'SIZE_INVALID',
    );
  });
});
