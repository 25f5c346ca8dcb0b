import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { suite, test } from 'node:test';
import { Journal } from '../../src/store/journal.ts';
import { Paths } from '../../src/store/paths.ts';
import { absent } from '../../src/store/small-file.ts';
import { temporaryFolder } from '../fixtures/temporary.ts';

/** A journal, and what the files `a` to `d` under the root hold. */
async function setUp() {
  const folder = await temporaryFolder();
  const paths = new Paths(folder.path);
  const name = (short: string): string => path.join(paths.root, short, 'file');
  return {
    journal: new Journal(paths),
    paths,
    name,
    text: (short: string) => absent(readFile(name(short), 'utf8')),
    async files(): Promise<readonly string[]> {
      const all = await readdir(paths.root, { recursive: true, withFileTypes: true });
      return all.filter((one) => one.isFile()).map((one) => one.name);
    },
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  };
}

suite('several small files', () => {
  test('change together, and leave nothing else behind', async () => {
    await using world = await setUp();
    const { journal, name, text } = world;
    await journal.apply([]);
    await journal.apply([{ name: name('a'), text: 'first' }]);
    await journal.apply([
      { name: name('a'), text: 'second' },
      { name: name('b'), text: 'new' },
      { name: name('c'), text: undefined },
    ]);
    assert.deepEqual([await text('a'), await text('b')], ['second', 'new']);
    await journal.apply([
      { name: name('a'), text: undefined },
      { name: name('b'), text: undefined },
    ]);
    assert.deepEqual([await text('a'), await text('b')], [undefined, undefined]);
    assert.deepEqual(await world.files(), []);
  });

  test('change not at all where one of them cannot', async () => {
    await using world = await setUp();
    const { journal, name, text, paths } = world;
    await journal.apply([{ name: name('a'), text: 'first' }]);
    await writeFile(path.join(paths.root, 'b'), 'where a folder is needed');
    const changes = [
      { name: name('a'), text: 'second' },
      { name: name('b'), text: 'never' },
    ];
    await assert.rejects(journal.apply(changes), { code: 'EEXIST' });
    assert.equal(await text('a'), 'first');
    assert.deepEqual((await world.files()).toSorted(), ['b', 'file']);
  });

  test('that got stuck half-way are finished before anything else is begun', async () => {
    await using world = await setUp();
    const { journal, name, text, paths } = world;
    await mkdir(name('b'), { recursive: true });
    const changes = [
      { name: name('a'), text: 'both' },
      { name: name('b'), text: 'both' },
    ];
    await assert.rejects(journal.apply(changes), { code: 'EISDIR' });
    const another = journal.apply([{ name: name('c'), text: 'later' }]);
    await assert.rejects(another, { code: 'EISDIR' });
    assert.equal(await text('c'), undefined);
    await rmdir(name('b'));
    await journal.apply([{ name: name('c'), text: 'later' }]);
    assert.deepEqual(
      [await text('a'), await text('b'), await text('c')],
      ['both', 'both', 'later'],
    );
    assert.deepEqual(await readdir(paths.journal), []);
  });

  test('that were interrupted are finished at the next start, any number of times', async () => {
    await using world = await setUp();
    const { name, text, paths } = world;
    await mkdir(name('b'), { recursive: true });
    const changes = [
      { name: name('a'), text: 'both' },
      { name: name('b'), text: 'both' },
    ];
    await assert.rejects(new Journal(paths).apply(changes));
    await assert.rejects(new Journal(paths).recover(), { code: 'EISDIR' });
    await rmdir(name('b'));
    await new Journal(paths).recover();
    await new Journal(paths).recover();
    assert.deepEqual([await text('a'), await text('b')], ['both', 'both']);
  });

  test('that were staged and came to nothing are swept at the next start, and nothing else is', async () => {
    await using world = await setUp();
    const { journal, name, text, paths } = world;
    await journal.apply([{ name: name('a'), text: 'first' }]);
    for (const left of ['.1-1.staged', '.1-2.new', '.1-3.staged']) {
      await writeFile(path.join(paths.journal, left), 'half of it');
    }
    await new Journal(paths).recover();
    assert.deepEqual(await readdir(paths.journal), []);
    assert.equal(await text('a'), 'first');
    assert.deepEqual(await world.files(), ['file']);
  });
});
