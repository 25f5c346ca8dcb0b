import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { RegistryError } from '../../../src/core/errors.ts';
import type { FileEntry } from '../../../src/image/files/file-entry.ts';
import { findFiles } from '../../../src/image/files/find.ts';
import { parseGlob } from '../../../src/image/files/glob.ts';
import { listImage, listLayer, listLayers, listVersions } from '../../../src/image/files/list.ts';
import { pattern } from '../../fixtures/collect.ts';
import { buildImage } from '../../fixtures/image-builder.ts';
import {
  file,
  folder,
  hardlink,
  layerOf,
  opaque,
  symlink,
  whiteout,
  type Item,
} from '../../fixtures/layer-builder.ts';

async function gather<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

const tell = ({ path, type, layer, fate, implicit }: FileEntry): string =>
  `${layer.index} ${path} ${type}${implicit ? ' implicit' : ''}${fate ? ` ${fate.how} by ${fate.layer}` : ''}`;

const view = async (
  layers: readonly (readonly Item[])[],
  versions: 'visible' | 'all' = 'visible',
) => (await gather(listImage(buildImage(layers), { versions }))).map(tell).toSorted();

describe('the merged file system', () => {
  test('whiteouts, opaque folders, files in place of folders and the other way round', async () => {
    const layers = [
      [
        folder('a'),
        file('a/one'),
        file('a/two'),
        folder('b'),
        file('b/x'),
        file('c'),
        folder('o'),
        file('o/old'),
        folder('o/deep'),
        file('o/deep/er'),
      ],
      [whiteout('a/one'), file('b'), folder('c'), file('c/in'), opaque('o'), file('o/new')],
      [file('a/two'), whiteout('b')],
    ];
    assert.deepEqual(await view(layers), [
      '0 a directory',
      '0 o directory',
      '1 c directory',
      '1 c/in file',
      '1 o/new file',
      '2 a/two file',
    ]);
    assert.deepEqual(await view(layers, 'all'), [
      '0 a directory',
      '0 a/one file deleted by 1',
      '0 a/two file overwritten by 2',
      '0 b directory overwritten by 1',
      '0 b/x file overwritten by 1',
      '0 c file overwritten by 1',
      '0 o directory',
      '0 o/deep directory deleted by 1',
      '0 o/deep/er file deleted by 1',
      '0 o/old file deleted by 1',
      '1 a/one whiteout',
      '1 b file deleted by 2',
      '1 c directory',
      '1 c/in file',
      '1 o opaque',
      '1 o/new file',
      '2 a/two file',
      '2 b whiteout',
    ]);
  });

  test('a whiteout and an opaque folder say nothing of their own layer, wherever they stand in it', async () => {
    const layers = [
      [file('a/old'), file('w')],
      [file('a/before'), file('w'), opaque('a'), whiteout('w'), file('a/after')],
    ];
    assert.deepEqual(await view(layers), [
      '1 a directory implicit',
      '1 a/after file',
      '1 a/before file',
      '1 w file',
    ]);
  });

  test('an implied folder takes the metadata of a lower one, and the place of a lower file', async () => {
    assert.deepEqual(await view([[folder('d', { mode: 0o700 })], [file('d/x')]]), [
      '0 d directory',
      '1 d/x file',
    ]);
    assert.deepEqual(await view([[file('d')], [file('d/x')]]), [
      '1 d directory implicit',
      '1 d/x file',
    ]);
    assert.deepEqual(await view([[folder('d'), file('d/y')], [file('d')], [file('d/x')]]), [
      '2 d directory implicit',
      '2 d/x file',
    ]);
  });

  test('a path that a layer has twice is told twice, the later one as such', async () => {
    const entries = await gather(listImage(buildImage([[file('a', '1'), file('a', '22')]])));
    assert.deepEqual(
      entries.map(({ size, repeated }) => [size, repeated]),
      [
        [1, undefined],
        [2, true],
      ],
    );
  });

  test('the first lines come before the rest of a layer is read, and lower layers after the newest', async () => {
    const image = buildImage([
      [file('base')],
      [file('first'), file('large', pattern(3_000_000)), file('last')],
    ]);
    let fetched = 0;
    const entries = listImage(image, { observe: ({ bytes }) => (fetched += bytes) });
    assert.equal((await entries.next()).value?.path, 'first');
    assert.ok(fetched < 200_000, `${fetched}`);
    assert.equal(image.source.calls.length, 1);
    await entries.return();
    assert.equal(image.source.open, 0);
  });

  test('in a plain layer large files are passed over, not read', async () => {
    const items = [
      file('large', pattern(3_000_000)),
      file('b', 'x'),
      file('larger', pattern(3_000_000, 2)),
      hardlink('h', './b'),
      symlink('s', '../b'),
    ];
    const image = buildImage([items], { packing: 'none' });
    let fetched = 0;
    const entries = await gather(
      listLayer(image, 0, { observe: ({ bytes }) => (fetched += bytes) }),
    );
    assert.deepEqual(
      entries.map(({ path, link }) => [path, link]),
      [
        ['large', undefined],
        ['b', undefined],
        ['larger', undefined],
        ['h', 'b'],
        ['s', '../b'],
      ],
    );
    assert.ok(fetched < 400_000, `${fetched}`);
    assert.equal(image.source.open, 0);
  });

  for (const packing of ['gzip', 'zstd', 'none'] as const) {
    test(`every layer, the base first, ${packing}`, async () => {
      const image = buildImage([[file('a')], [whiteout('a'), file('b', '123')]], { packing });
      const entries = await gather(listLayers(image));
      assert.deepEqual(entries.map(tell), ['0 a file', '1 a whiteout', '1 b file']);
      assert.deepEqual(JSON.parse(JSON.stringify(entries)), entries);
      assert.equal(entries[2]?.layer.digest, image.layers[1]?.digest);
    });
  }

  test('every version of one path, and what became of it', async () => {
    const image = buildImage([
      [file('d/f', '1')],
      [file('d/f', '22')],
      [whiteout('d')],
      [file('d/f', '333'), file('other')],
    ]);
    assert.deepEqual((await gather(listVersions(image, '/d/f'))).map(tell), [
      '3 d/f file',
      '2 d whiteout',
      '1 d/f file deleted by 2',
      '0 d/f file overwritten by 1',
    ]);
  });

  test('compressed data is checked to its end, also behind the archive', async () => {
    const bytes = layerOf([file('a')]);
    await assert.rejects(gather(listImage(buildImage([bytes.subarray(0, -4)]))), /truncated/);
  });

  test('a damaged layer is named', async () => {
    const bytes = Buffer.from('this is no layer at all'.repeat(100));
    const image = buildImage([[file('a')], bytes]);
    await assert.rejects(gather(listImage(image)), (error: unknown) => {
      assert.ok(error instanceof RegistryError);
      assert.equal(error.code, 'LAYER_INVALID');
      assert.match(error.message, /^layer 1 \(sha256:[0-9a-f]{64}\): not a tar archive/);
      return true;
    });
    assert.equal(image.source.open, 0);
  });

  test('it ends when it is told to', async () => {
    const abort = new AbortController();
    const image = buildImage([[file('a'), file('b', pattern(1_000_000))]]);
    const entries = listImage(image, { signal: abort.signal });
    await entries.next();
    abort.abort();
    await assert.rejects(
      gather(entries),
      (error: unknown) => error instanceof RegistryError && error.code === 'INTERRUPTED',
    );
    assert.equal(image.source.open, 0);
  });

  test('any layers give what applying them one after the other gives', async () => {
    const name = fc.constantFrom('a', 'b', 'a/a', 'a/b', 'b/a', 'a/a/a', 'a/a/b', 'b/a/a');
    const item = fc.oneof(
      name.map((path) => file(path, 'x')),
      name.map((path) => folder(path)),
      name.map((path) => whiteout(path)),
      name.map((path) => opaque(path)),
    );
    const layer = fc
      .uniqueArray(item, {
        maxLength: 5,
        selector: ({ name: of }) => String(of).replace(/\/$/, ''),
      })
      .filter(consistent);
    await fc.assert(
      fc.asyncProperty(fc.array(layer, { minLength: 1, maxLength: 5 }), async (layers) => {
        const seen = (await gather(listImage(buildImage(layers, { packing: 'none' })))).map(
          ({ path, type }) => `${path} ${type}`,
        );
        assert.deepEqual(seen.toSorted(), applied(layers));
      }),
      { numRuns: 1000 },
    );
  });
});

/** Whether no layer has something below what is not a folder in the same layer. */
function consistent(items: readonly Item[]): boolean {
  const files = items.filter(({ flag, name }) => flag !== '5' && !String(name).includes('.wh.'));
  return items.every(({ name }) =>
    files.every((one) => !String(name).startsWith(`${String(one.name)}/`)),
  );
}

/** What a container runtime does, base first, deletions of a layer before its additions. */
function applied(layers: readonly (readonly Item[])[]): string[] {
  const tree = new Map<string, string>();
  const remove = (path: string, self: boolean): void => {
    for (const key of tree.keys())
      if ((self && key === path) || key.startsWith(`${path}/`)) tree.delete(key);
  };
  const enfold = (path: string): void => {
    path
      .split('/')
      .slice(0, -1)
      .forEach((_, depth, parts) => {
        const above = parts.slice(0, depth + 1).join('/');
        if (tree.get(above) === 'file') remove(above, true);
        tree.set(above, 'directory');
      });
  };
  for (const items of layers) {
    const names = items.map(({ name }) => String(name).replace(/\/$/, ''));
    for (const name of names) {
      if (name.endsWith('/.wh..wh..opq')) remove(name.slice(0, -13), false);
      else if (name.includes('.wh.')) remove(name.replace('.wh.', ''), true);
    }
    for (const [index, name] of names.entries()) {
      enfold(name);
      if (name.includes('.wh.')) continue;
      const type = items[index]?.flag === '5' ? 'directory' : 'file';
      if (type === 'file') remove(name, true);
      tree.set(name, type);
    }
  }
  return [...tree].map(([path, type]) => `${path} ${type}`).toSorted();
}

describe('patterns', () => {
  const cases: readonly (readonly [string, string, boolean])[] = [
    ['*.conf', 'etc/a.conf', true],
    ['.*', 'root/.bashrc', true],
    ['*', 'root/.bashrc', true],
    ['/etc/*', 'etc/passwd', true],
    ['etc/*', 'etc/ssl/x', false],
    ['etc/**', 'etc/ssl/x', true],
    ['**/x', 'x', true],
    ['**/ssl/**/*.pem', 'etc/ssl/certs/a/b.pem', true],
    ['**/ssl/**/*.pem', 'etc/ssl/b.pem', true],
    ['usr/lib?/x', 'usr/lib6/x', true],
    ['usr/lib?/x', 'usr/lib/x', false],
    ['[a-c]x', 'bx', true],
    ['[!a-c]x', 'bx', false],
    ['[]]x', ']x', true],
    ['[a-]', '-', true],
    ['{a,b{c,d}}.txt', 'bd.txt', true],
    ['{a,b}.txt', 'c.txt', false],
    ['\\*', '*', true],
    ['\\*', 'x', false],
    ['a.c', 'abc', false],
    ['naïv?', 'naïve', true],
    ['?', '😀', true],
  ];
  for (const [glob, path, expected] of cases) {
    test(`${glob} and ${path}`, () => assert.equal(parseGlob(glob)(path), expected));
  }

  test('one that is none says so; one made to be slow is not', () => {
    for (const glob of ['', '[a', '{a', `{a,b}`.repeat(20)]) {
      assert.throws(
        () => parseGlob(glob),
        (error: unknown) => error instanceof RegistryError && error.code === 'NAME_INVALID',
      );
    }
    assert.equal(parseGlob(`${'*a'.repeat(200)}c`)('a'.repeat(4000)), false);
    assert.equal(parseGlob(`${'**/'.repeat(200)}c`)('a/'.repeat(2000)), false);
  });

  test('they are looked for in what a container sees', async () => {
    const image = buildImage([[file('etc/a.conf'), file('etc/b.conf')], [whiteout('etc/a.conf')]]);
    assert.deepEqual((await gather(findFiles(image, '*.conf'))).map(tell), ['0 etc/b.conf file']);
  });
});
