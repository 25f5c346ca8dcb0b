import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { constants } from 'node:fs';
import {
  chmod,
  lstat,
  mkdir,
  open,
  readdir,
  readFile,
  readlink,
  rm,
  stat,
  symlink as linkTo,
  writeFile,
} from 'node:fs/promises';
import path from 'node:path';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { RegistryError, type ErrorCode } from '../../../src/core/errors.ts';
import { getLayer, getLayerPath, getVersions } from '../../../src/image/files/get-layers.ts';
import { getPath, saveLayer } from '../../../src/image/files/get.ts';
import { pattern } from '../../fixtures/collect.ts';
import { buildImage, type BuiltImage } from '../../fixtures/image-builder.ts';
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
import { temporaryFolder } from '../../fixtures/temporary.ts';

const image = (...layers: readonly (readonly Item[])[]): BuiltImage => buildImage(layers);
/** Everything below a folder; links are not followed. */
async function names(at: string, below = ''): Promise<string[]> {
  const found: string[] = [];
  for (const entry of await readdir(path.join(at, below), { withFileTypes: true })) {
    const name = path.join(below, entry.name);
    found.push(name, ...(entry.isDirectory() ? await names(at, name) : []));
  }
  return found.toSorted();
}
const text = (at: string): Promise<string> => readFile(at, 'utf8');
const mode = async (at: string): Promise<number> => (await lstat(at)).mode & 0o7777;
const fails =
  (code: ErrorCode, pattern = /./) =>
  (error: unknown): boolean => {
    assert.ok(error instanceof RegistryError, String(error));
    assert.equal(error.code, code, error.message);
    assert.match(error.message, pattern);
    return true;
  };

describe('a whole layer on the disk', () => {
  test('folders have their modes to the letter, also where they are only implied', async (t) => {
    await using temporary = await temporaryFolder();
    const built = image([
      file('implied/below/f'),
      folder('read', { mode: 0o555 }),
      folder('read/none', { mode: 0 }),
      file('read/none/f'),
    ]);
    const merged = path.join(temporary.path, 'merged');
    await mkdir(merged);
    t.after(() => spawnSync('chmod', ['-R', 'u+rwx', temporary.path]));
    for (const at of ['new', 'merged']) {
      const target = path.join(temporary.path, at);
      await getLayer(built, 0, target);
      await getPath(built, '/read', path.join(target, 'sub'));
      const modes = ['implied', 'implied/below', 'read/none', 'read', 'sub', 'sub/none'].map(
        async (name) => (await mode(path.join(target, name))).toString(8),
      );
      assert.deepEqual(await Promise.all(modes), ['755', '755', '0', '555', '555', '0'], at);
    }
  });

  test('a path as one layer has it, a file or a folder; and every version of a file', async () => {
    await using temporary = await temporaryFolder();
    const built = image(
      [file('etc/a', 'old', { mode: 0o600 }), file('etc/b', 'base'), symlink('etc/l', 'a')],
      [whiteout('etc/b'), hardlink('etc/h', 'etc/a')],
      [file('etc/a', 'new'), file('etc/a', 'again'), folder('etc/l')],
    );
    const at = (name: string): string => path.join(temporary.path, name);
    await getLayerPath(built, 0, '/etc/a', at('a'));
    assert.deepEqual([await text(at('a')), await mode(at('a'))], ['old', 0o600]);
    await getLayerPath(built, 0, 'etc', at('etc'));
    assert.deepEqual(await names(at('etc')), ['a', 'b', 'l']);
    const { skipped } = await getLayerPath(built, 1, '/etc', at('middle'));
    assert.deepEqual(await names(at('middle')), ['.wh.b']);
    assert.deepEqual(
      skipped.map((one) => one.path),
      ['etc/h'],
    );
    await assert.rejects(getLayerPath(built, 1, '/usr', at('usr')), fails('FILE_UNKNOWN'));
    const a = await getVersions(built, '/etc/a', at('versions'));
    assert.deepEqual(
      a.versions.map(({ layer }) => layer.index),
      [2, 2, 0],
    );
    await getVersions(built, '/etc/l', at('versions'));
    await getVersions(built, '/etc/h', at('versions'));
    assert.equal(await text(at('versions/0/etc/a')), 'old');
    assert.equal(await mode(at('versions/0/etc/a')), 0o600);
    assert.equal(await text(at('versions/1/etc/h')), 'old');
    assert.equal(await text(at('versions/2/etc/a')), 'new');
    assert.equal(await readlink(at('versions/0/etc/l')), 'a');
    await assert.rejects(getVersions(built, '/usr', at('no')), fails('FILE_UNKNOWN', /no layer/));
    await assert.rejects(lstat(at('no')));
  });

  test('a name that is too long for the disk is left out, and the others are there', async () => {
    await using temporary = await temporaryFolder();
    const long = 'n'.repeat(300);
    const built = image([
      file('before'),
      file(long, '', { pax: { path: long } }),
      folder(long, { pax: { path: `${long}/` } }),
      file('x', '', { pax: { path: `d/${long}/below` } }),
      file('after'),
    ]);
    for (const get of [getLayer, getPath]) {
      const target = path.join(temporary.path, get.name);
      const { skipped } =
        get === getLayer ? await getLayer(built, 0, target) : await getPath(built, '/', target);
      const why = 'a name is too long for the file system';
      assert.deepEqual(
        skipped.map(({ path: at, why }) => [at.length, why]),
        [
          [300, why],
          [300, why],
          [308, why],
        ],
      );
      assert.deepEqual(await names(target), ['after', 'before', 'd']);
    }
  });

  test('files, modes, times, links, names that are no UTF-8, holes', async () => {
    await using temporary = await temporaryFolder();
    const pax = { 'GNU.sparse.map': '4096,3', 'GNU.sparse.size': '3000000', mtime: '12345.25' };
    const built = image([
      folder('d', { mode: 0o550, mtime: 1000 }),
      file('d/f', 'content', { mode: 0o4751, mtime: 2000 }),
      symlink('s', '/etc/passwd'),
      hardlink('h', 'd/f'),
      { name: Buffer.from([0x66, 0xff]), data: 'bytes' },
      file('sparse', 'abc', { pax }),
      file('deep/er/x', 'implied'),
      file('.wh.gone'),
    ]);
    const target = path.join(temporary.path, 'out');
    const got = await getLayer(built, 0, target);
    assert.deepEqual(got.skipped, []);
    assert.deepEqual(await names(temporary.path), [
      'out',
      'out/.wh.gone',
      'out/d',
      'out/d/f',
      'out/deep',
      'out/deep/er',
      'out/deep/er/x',
      'out/f\ufffd',
      'out/h',
      'out/s',
      'out/sparse',
    ]);
    assert.equal(await mode(`${target}/d`), 0o550);
    assert.equal(await mode(`${target}/d/f`), 0o751);
    assert.equal((await stat(`${target}/d`)).mtimeMs, 1_000_000);
    assert.equal((await stat(`${target}/d/f`)).mtimeMs, 2_000_000);
    assert.equal((await stat(`${target}/h`)).ino, (await stat(`${target}/d/f`)).ino);
    assert.equal(await readlink(`${target}/s`), '/etc/passwd');
    assert.equal(
      (await readFile(Buffer.concat([Buffer.from(`${target}/f`), Buffer.from([0xff])]))).toString(),
      'bytes',
    );
    const sparse = await readFile(`${target}/sparse`);
    assert.equal(sparse.length, 3_000_000);
    assert.equal(sparse.indexOf('abc'), 4096);
    assert.equal((await stat(`${target}/sparse`)).mtimeMs, 12_345_250);
    const kept = await getLayer(built, 0, path.join(temporary.path, 'kept'), {
      specialBits: 'keep',
    });
    assert.equal(await mode(`${kept.target}/d/f`), 0o4751);
  });

  test(
    'owners, where one may give them',
    { skip: process.getuid?.() === 0 ? false : 'needs root' },
    async () => {
      await using temporary = await temporaryFolder();
      const owner = { uid: 1234, gid: 5678 };
      const built = image([
        folder('d', owner),
        file('d/f', 'x', { ...owner, mode: 0o4755 }),
        { ...symlink('s', 'd'), ...owner },
      ]);
      const target = path.join(temporary.path, 'out');
      await getLayer(built, 0, target, { owners: 'keep', specialBits: 'keep' });
      for (const name of ['d', 'd/f', 's']) {
        const { uid, gid } = await lstat(path.join(target, name));
        assert.deepEqual({ uid, gid }, owner, name);
      }
      assert.equal(await mode(`${target}/d/f`), 0o4755);
      const mine = await getLayer(built, 0, path.join(temporary.path, 'mine'));
      assert.equal((await stat(`${mine.target}/d/f`)).uid, 0);
    },
  );

  test('nothing leaves the target, whatever the archive says', async () => {
    await using temporary = await temporaryFolder();
    const outside = path.join(temporary.path, 'outside');
    await mkdir(outside);
    await writeFile(`${outside}/secret`, 'secret');
    const built = image([
      file('../escaped', 'x'),
      file('a/../../escaped', 'x'),
      file('/absolute/name', 'inside'),
      symlink('way', outside),
      file('way/planted', 'x'),
      folder('way/dir'),
      symlink('up', '..'),
      file('up/planted', 'x'),
      hardlink('stolen', '../outside/secret'),
      hardlink('stolen2', 'way/secret'),
      hardlink('stolen3', outside.slice(1) + '/secret'),
      symlink('over', `${outside}/secret`),
      file('over', 'replaces the link, not what it leads to'),
      { name: 'null', flag: '3' },
      { name: 'disk', flag: '4' },
      { name: 'pipe', flag: '6' },
      file('ok', 'ok'),
    ]);
    const target = path.join(temporary.path, 'out');
    const { skipped } = await getLayer(built, 0, target);
    assert.deepEqual(await names(target), ['absolute', 'absolute/name', 'ok', 'over', 'up', 'way']);
    assert.deepEqual(await names(outside), ['secret']);
    assert.equal(await text(`${outside}/secret`), 'secret');
    assert.deepEqual((await readdir(temporary.path)).toSorted(), ['out', 'outside']);
    assert.deepEqual(
      skipped.map((one) => one.path),
      [
        '../escaped',
        'a/../../escaped',
        'way/planted',
        'way/dir',
        'up/planted',
        'stolen',
        'stolen2',
        'stolen3',
        'null',
        'disk',
        'pipe',
      ],
    );
  });

  test('links that lie in the target are not followed', async () => {
    await using temporary = await temporaryFolder();
    const [outside, target] = [
      path.join(temporary.path, 'outside'),
      path.join(temporary.path, 'out'),
    ];
    await mkdir(outside);
    await writeFile(`${outside}/f`, 'mine');
    await mkdir(target);
    await linkTo(outside, `${target}/d`);
    await linkTo(`${outside}/f`, `${target}/f`);
    await assert.rejects(
      getLayer(image([folder('d'), file('d/x', 'x')]), 0, target),
      fails('STORAGE_UNAVAILABLE', /cannot write d: .*no folder/),
    );
    assert.deepEqual(await names(outside), ['f']);
    await getLayer(image([file('f', 'new')]), 0, target);
    assert.equal(await text(`${outside}/f`), 'mine');
    assert.equal(await text(`${target}/f`), 'new');
    assert.ok((await lstat(`${target}/f`)).isFile());
  });

  test('a folder that exists is merged into, and what cannot be is found out first', async () => {
    await using temporary = await temporaryFolder();
    const target = path.join(temporary.path, 'out');
    await mkdir(`${target}/a`, { recursive: true });
    await chmod(`${target}/a`, 0o711);
    await writeFile(`${target}/a/mine`, 'mine');
    await writeFile(`${target}/a/old`, 'old');
    await getLayer(
      image([
        folder('a', { mode: 0o700 }),
        file('a/old', 'new'),
        folder('a/n', { mode: 0o555 }),
        file('a/n/x', 'x'),
      ]),
      0,
      target,
    );
    assert.deepEqual(await names(target), ['a', 'a/mine', 'a/n', 'a/n/x', 'a/old']);
    assert.equal(await text(`${target}/a/old`), 'new');
    assert.equal(await mode(`${target}/a`), 0o711);
    assert.equal(await mode(`${target}/a/n`), 0o555);
    await chmod(`${target}/a/n`, 0o755);
    await assert.rejects(
      getLayer(image([file('b', 'b'), file('a', 'file')]), 0, target),
      fails('STORAGE_UNAVAILABLE', /folder of that name/),
    );
    assert.deepEqual(await names(target), ['a', 'a/mine', 'a/n', 'a/n/x', 'a/old']);
  });

  test('a wrong digest, a cut or damaged layer, an interruption: nothing is there', async () => {
    await using temporary = await temporaryFolder();
    const target = path.join(temporary.path, 'out');
    const layer = layerOf([file('a', pattern(200_000)), file('b', 'b')], 'none');
    const wrong = buildImage([layer], { packing: 'none' });
    layer[1000] = (layer[1000] ?? 0) ^ 1;
    const whole = layerOf([file('a', pattern(200_000))]);
    const trailing = buildImage([Buffer.concat([whole, Buffer.from('x')])]);
    trailing.source.behave({ shortAt: whole.length });
    const cut = buildImage([whole.subarray(0, 100_000)]);
    const abort = new AbortController();
    const cases = [
      getLayer(wrong, 0, target).then(() => assert.fail(), fails('DIGEST_INVALID')),
      getLayer(trailing, 0, target).then(() => assert.fail(), fails('SIZE_INVALID')),
      getLayer(cut, 0, target).then(
        () => assert.fail(),
        fails('LAYER_INVALID', /^layer 0 .*truncated/),
      ),
      getPath(cut, 'a', target).then(() => assert.fail(), fails('LAYER_INVALID', /truncated/)),
      getPath(cut, '/', target).then(() => assert.fail(), fails('LAYER_INVALID', /truncated/)),
      saveLayer(wrong, 0, target).then(() => assert.fail(), fails('DIGEST_INVALID')),
      getLayer(buildImage([[file('a', pattern(900_000))]]), 0, target, {
        signal: abort.signal,
        observe: () => abort.abort(),
      }).then(() => assert.fail(), fails('INTERRUPTED')),
    ];
    await Promise.all(cases);
    assert.deepEqual(await names(temporary.path), []);
    assert.equal(wrong.source.open + trailing.source.open + cut.source.open, 0);
  });
});

test('no archive whatever writes outside, or leaves anything aside', async () => {
  await using temporary = await temporaryFolder();
  const outside = path.join(temporary.path, 'outside');
  await mkdir(outside);
  await writeFile(`${outside}/f`, 'mine');
  const part = fc.constantFrom('a', 'b', '..', '.', 'f', '', 'outside', '.wh.a', '.wh..wh..opq');
  const name = fc.array(part, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/'));
  const link = fc.oneof(
    name,
    fc.constantFrom('../outside', outside, `${outside}/f`, '../../outside/f'),
  );
  const item = fc.oneof(
    name.map((at) => file(at, 'planted')),
    name.map((at) => folder(at)),
    fc.tuple(name, link).map(([at, to]) => symlink(at, to)),
    fc.tuple(name, link).map(([at, to]) => hardlink(at, to)),
  );
  const layers = fc.array(fc.array(item, { maxLength: 8 }), { minLength: 1, maxLength: 3 });
  await fc.assert(
    fc.asyncProperty(layers, fc.constantFrom('layer', 'tree'), async (made, how) => {
      const target = path.join(temporary.path, 'out');
      const built = buildImage(made, { packing: 'none' });
      // Twice: the second time into what the first has left there.
      for (let time = 0; time < 2; time += 1) {
        const got = how === 'layer' ? getLayer(built, 0, target) : getPath(built, '/', target);
        await got.catch((error: unknown) => {
          assert.ok(error instanceof RegistryError, String(error));
          assert.equal(error.code, 'STORAGE_UNAVAILABLE', error.message);
        });
      }
      assert.deepEqual(await names(outside), ['f']);
      assert.equal(await text(`${outside}/f`), 'mine');
      assert.equal((await stat(`${outside}/f`)).nlink, 1);
      assert.ok((await names(temporary.path)).every((one) => !one.includes('.layover')));
      assert.equal(built.source.open, 0);
      await rm(target, { recursive: true, force: true });
    }),
    { numRuns: 150 },
  );
});

describe('files and folders as a container sees them', () => {
  const built = image(
    [
      folder('etc', { mode: 0o755 }),
      file('etc/a', 'old'),
      file('etc/b', 'b'),
      file('etc/sub/x', 'x'),
      file('etc/gone/y', 'y'),
      file('t', 'first', { mode: 0o600 }),
      hardlink('etc/t1', 't'),
      hardlink('etc/t2', 't'),
      symlink('conf', 'etc'),
    ],
    [
      file('etc/a', 'new', { mode: 0o755, mtime: 5 }),
      whiteout('etc/gone'),
      file('t', 'later'),
      hardlink('etc/a2', 'etc/a'),
      opaque('etc/sub'),
      file('etc/sub/z', 'z'),
    ],
    [file('etc/a', 'newest')],
  );

  test('a folder, whiteouts heeded, hard links with what they were', async () => {
    await using temporary = await temporaryFolder();
    const target = path.join(temporary.path, 'out');
    const got = await getPath(built, '/conf', target);
    assert.deepEqual(got.skipped, []);
    assert.deepEqual(await names(target), ['a', 'a2', 'b', 'sub', 'sub/z', 't1', 't2']);
    assert.equal(await text(`${target}/a`), 'newest');
    assert.equal(await text(`${target}/a2`), 'new');
    assert.equal(await mode(`${target}/a2`), 0o755);
    assert.equal(await text(`${target}/t1`), 'first');
    assert.equal((await stat(`${target}/t1`)).ino, (await stat(`${target}/t2`)).ino);
    assert.equal(built.source.open, 0);
  });

  test('everything', async () => {
    await using temporary = await temporaryFolder();
    const target = path.join(temporary.path, 'out');
    await getPath(built, '/', target);
    assert.deepEqual(await names(target), [
      'conf',
      'etc',
      'etc/a',
      'etc/a2',
      'etc/b',
      'etc/sub',
      'etc/sub/z',
      'etc/t1',
      'etc/t2',
      't',
    ]);
    assert.deepEqual(
      await names(temporary.path).then((all) => all.filter((name) => name.includes('.layover'))),
      [],
    );
  });

  test('a file, to a name, into a folder, over another file', async () => {
    await using temporary = await temporaryFolder();
    const to = path.join(temporary.path, 'name');
    assert.equal((await getPath(built, 'conf/a2', to)).bytes, 3);
    assert.equal(await mode(to), 0o755);
    assert.equal((await stat(to)).mtimeMs, 5000);
    assert.equal(
      (await getPath(built, 'etc/b', temporary.path)).target,
      path.join(temporary.path, 'b'),
    );
    await getPath(built, 'etc/b', to);
    assert.equal(await text(to), 'b');
    assert.deepEqual(await names(temporary.path), ['b', 'name']);
    await assert.rejects(getPath(built, 'etc/none', to), fails('FILE_UNKNOWN'));
    await assert.rejects(getPath(built, 'etc', to), fails('STORAGE_UNAVAILABLE', /no folder/));
    assert.equal(await text(to), 'b');
  });

  test('a layer below one that hides the folder is not read', async () => {
    await using temporary = await temporaryFolder();
    const closed = image(
      [file('d/old', pattern(100_000))],
      [folder('d'), opaque('d'), file('d/new', 'n')],
    );
    await getPath(closed, 'd', path.join(temporary.path, 'out'));
    assert.ok(
      !closed.source.calls.some((call) => call.includes(closed.layers[0]?.digest ?? 'none')),
    );
  });
});

describe('a target that cannot be written', () => {
  const built = image([file('a', pattern(3_000_000)), folder('d'), file('d/b', 'b')]);

  test('something that is no folder on the way; devices', async () => {
    await using temporary = await temporaryFolder();
    await writeFile(path.join(temporary.path, 'file'), 'x');
    const through = path.join(temporary.path, 'file', 'out');
    await assert.rejects(
      getPath(built, 'a', through),
      fails('STORAGE_UNAVAILABLE', /cannot write/),
    );
    await assert.rejects(getLayer(built, 0, through), fails('STORAGE_UNAVAILABLE', /cannot write/));
    await assert.rejects(
      saveLayer(built, 0, '/dev/full'),
      fails('STORAGE_UNAVAILABLE', /no room left/),
    );
    assert.deepEqual(await names(temporary.path), ['file']);
  });

  const mountable = (): boolean =>
    process.getuid?.() === 0 && spawnSync('unshare', ['-m', 'true']).status === 0;

  test(
    'a disk that is full',
    { skip: mountable() ? false : 'needs the right to mount' },
    async () => {
      await using temporary = await temporaryFolder();
      const at = temporary.path;
      const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'layover-test', at]);
      if (mounted.status !== 0) return;
      try {
        for (const attempt of [
          () => getPath(built, 'a', `${at}/x`),
          () => getLayer(built, 0, `${at}/y`),
          () => getPath(built, '/', at),
          () => saveLayer(built, 0, `${at}/z`),
        ]) {
          await assert.rejects(
            attempt(),
            fails(
              'STORAGE_UNAVAILABLE',
              new RegExp(`^cannot write ${at}(/[axyz])*: there is no room left`),
            ),
          );
        }
        assert.deepEqual(await names(at), []);
      } finally {
        spawnSync('umount', [at]);
      }
    },
  );
});

describe('a file goes where the name leads', () => {
  const content = pattern(100_000);
  const built = image([file('a', content)]);
  const ways: readonly (readonly [string, (target: string) => Promise<unknown>, Buffer])[] = [
    ['a file', (target) => getPath(built, 'a', target), content],
    ['a layer', (target) => saveLayer(built, 0, target), layerOf([file('a', content)])],
  ];
  for (const [what, save, bytes] of ways) {
    test(`${what}: by links, which stay, to a file that is there or not`, async () => {
      await using temporary = await temporaryFolder();
      const at = (name: string): string => path.join(temporary.path, name);
      await mkdir(at('real'));
      await writeFile(at('real/there'), 'old');
      await linkTo('real/there', at('first'));
      await linkTo(at('first'), at('second'));
      await linkTo('real/new', at('dangling'));
      await save(at('second'));
      await save(at('dangling'));
      assert.ok((await readFile(at('real/there'))).equals(bytes));
      assert.ok((await readFile(at('real/new'))).equals(bytes));
      assert.equal(await readlink(at('second')), at('first'));
      assert.equal(await readlink(at('dangling')), 'real/new');
      assert.deepEqual((await readdir(at('real'))).toSorted(), ['new', 'there']);
      await linkTo('circle', at('circle'));
      await assert.rejects(save(at('circle')), fails('STORAGE_UNAVAILABLE', /circle/));
    });

    test(`${what}: into a pipe, and nowhere`, async () => {
      await using temporary = await temporaryFolder();
      const pipe = path.join(temporary.path, 'pipe');
      execFileSync('mkfifo', [pipe]);
      const [read] = await Promise.all([readFile(pipe), save(pipe)]);
      assert.ok(read.equals(bytes));
      await save('/dev/null');
      assert.deepEqual(await readdir(temporary.path), ['pipe']);
    });

    test(`${what}: a name that ends as those of folders do is none, which costs nothing`, async () => {
      await using temporary = await temporaryFolder();
      await assert.rejects(
        save(`${temporary.path}/n/x/`),
        fails('STORAGE_UNAVAILABLE', /^cannot write .*\/n\/x\/: there is no such folder$/),
      );
      assert.deepEqual(await readdir(temporary.path), []);
    });
  }

  test('what lies in a folder that was named is no name of the user', async () => {
    await using temporary = await temporaryFolder();
    const at = (name: string): string => path.join(temporary.path, name);
    await mkdir(at('folder'));
    await linkTo('../outside', at('folder/a'));
    await assert.rejects(
      getPath(built, 'a', at('folder')),
      fails('STORAGE_UNAVAILABLE', /folder\/a: it is no ordinary file$/),
    );
    assert.deepEqual((await readdir(temporary.path)).toSorted(), ['folder']);
  });

  for (const [what, save] of [
    ['a file into a folder', (_, folder) => getPath(built, 'a', folder)],
    ['a file', (target) => getPath(built, 'a', target, { links: 'refuse' })],
    ['a layer', (target) => saveLayer(built, 0, target, { links: 'refuse' })],
  ] satisfies [string, (target: string, folder: string) => Promise<unknown>][]) {
    test(`${what} whose name is not the user's word: no link, no pipe, a file that is there`, async () => {
      await using temporary = await temporaryFolder();
      const at = (name: string): string => path.join(temporary.path, name);
      const refused = fails('STORAGE_UNAVAILABLE', /folder\/a: it is no ordinary file$/);
      await mkdir(at('folder'));
      await mkdir(at('elsewhere'));
      await writeFile(at('precious'), 'precious');
      for (const led of ['../precious', '../none', '../elsewhere']) {
        await linkTo(led, at('folder/a'));
        await assert.rejects(save(at('folder/a'), at('folder')), refused);
        await rm(at('folder/a'));
      }
      execFileSync('mkfifo', [at('folder/a')]);
      const reader = await open(at('folder/a'), constants.O_RDONLY | constants.O_NONBLOCK);
      try {
        await assert.rejects(save(at('folder/a'), at('folder')), refused);
      } finally {
        await reader.close();
      }
      await rm(at('folder/a'));
      assert.deepEqual(await names(temporary.path), ['elsewhere', 'folder', 'precious']);
      assert.equal(await text(at('precious')), 'precious');
      await writeFile(at('folder/a'), 'old');
      await save(at('folder/a'), at('folder'));
      assert.notEqual(await text(at('folder/a')), 'old');
    });
  }
});

test('a layer is saved as it is', async () => {
  await using temporary = await temporaryFolder();
  const bytes = layerOf([file('a', 'a')]);
  const built = buildImage([bytes]);
  const to = path.join(temporary.path, 'layer.tar.gz');
  assert.equal((await saveLayer(built, 0, to)).bytes, bytes.length);
  assert.ok((await readFile(to)).equals(bytes));
  assert.deepEqual(await names(temporary.path), ['layer.tar.gz']);
  await assert.rejects(saveLayer(built, 3, to), fails('FILE_UNKNOWN', /no layer 3/));
});
