import assert from 'node:assert/strict';
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { file, layerOf, whiteout } from '../fixtures/layer-builder.ts';
import { startRegistry } from '../fixtures/registry.ts';
import { temporaryFolder } from '../fixtures/temporary.ts';
import { here } from './here.ts';

test('get: a path of one layer, every version of a file, and what makes no sense', async () => {
  await using folder = await temporaryFolder();
  await using registry = await startRegistry();
  const layers = [[file('etc/a', 'old')], [whiteout('etc/a')], [file('etc/a', 'new')]];
  registry.addImage('team/app', '1', { layers: layers.map((items) => layerOf(items)) });
  const image = `${registry.host}/team/app:1`;
  const at = (name: string): string => path.join(folder.path, name);
  const get = (...line: readonly string[]) =>
    here(['get', '--no-cache', ...line], { environment: { HOME: folder.path } });

  const one = await get('--layer', '0', '-o', at('one'), image, '/etc/a');
  assert.equal(one.code, 0, one.error);
  assert.equal(await readFile(at('one'), 'utf8'), 'old');
  const tree = await get('--layer', '0', '-o', at('etc'), image, '/etc');
  assert.equal(tree.code, 0, tree.error);
  assert.equal(await readFile(at('etc/a'), 'utf8'), 'old');
  const all = await get('--all-versions', '-o', at('all'), image, '/etc/a');
  assert.equal(all.code, 0, all.error);
  assert.equal(await readFile(at('all/0/etc/a'), 'utf8'), 'old');
  assert.equal(await readFile(at('all/2/etc/a'), 'utf8'), 'new');
  assert.match(
    all.error,
    /\/etc\/a {2}\(layer 2\)\n.*\(layer 1 deletes it\)\n.*\(layer 0, deleted/,
  );
  for (const [line, says] of [
    [['--all-versions', image], /say what to save/],
    [['--all-versions', '--layer', '0', image, '/a'], /--all-versions is for a path/],
    [['--raw', '--layer', '0', image, '/a'], /--raw is for a whole layer/],
  ] as const) {
    const { code, error } = await get(...line);
    assert.equal(code, 2, error);
    assert.match(error, says);
  }
});

test('get: what lies under the default name is not followed, what -o names is', async () => {
  await using folder = await temporaryFolder();
  await using registry = await startRegistry();
  registry.addImage('team/app', '1', { layers: [layerOf([file('etc/a', 'new')])] });
  const image = `${registry.host}/team/app:1`;
  const at = (name: string): string => path.join(folder.path, name);
  const get = (...line: readonly string[]) =>
    here(['get', '--no-cache', ...line], { environment: { HOME: folder.path } });
  await mkdir(at('cwd'));
  await writeFile(at('precious'), 'precious');
  for (const name of ['a', 'layer-0.tar']) await symlink('../precious', at(`cwd/${name}`));
  const before = process.cwd();
  process.chdir(at('cwd'));
  try {
    for (const line of [
      [image, '/etc/a'],
      ['--layer', '0', image, '/etc/a'],
      ['--layer', '0', '--raw', image],
    ]) {
      const { code, error } = await get(...line);
      assert.equal(code, 1, error);
      assert.match(error, /it is no ordinary file/);
      assert.equal(await readFile(at('precious'), 'utf8'), 'precious');
    }
    const named = await get('-o', 'a', image, '/etc/a');
    assert.equal(named.code, 0, named.error);
    assert.equal(await readFile(at('precious'), 'utf8'), 'new');
  } finally {
    process.chdir(before);
  }
});
