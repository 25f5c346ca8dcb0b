import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { makeFolder, makeFolderNow } from '../../src/store/make-folder.ts';
import { temporaryFolder } from '../fixtures/temporary.ts';

const SOURCE = fileURLToPath(new URL('../../src', import.meta.url));
const MODULE = new URL('../../src/store/make-folder.ts', import.meta.url).href;

/** In a process of its own: what never ends must not take the tests with it. */
async function alone(name: string, folder: string): Promise<string> {
  const script = `
    const { ${name} } = await import(${JSON.stringify(MODULE)});
    try { await ${name}(${JSON.stringify(folder)}); } catch (error) { process.stdout.write(error.code); }`;
  const flags = ['--disable-warning=ExperimentalWarning', '--input-type=module', '-e', script];
  const options = { timeout: 20_000, killSignal: 'SIGKILL' } as const;
  return (await promisify(execFile)(process.execPath, flags, options)).stdout;
}

for (const name of ['makeFolder', 'makeFolderNow']) {
  test(`${name}: where there can be no folder it ends`, async (t) => {
    if (process.platform !== 'linux') return t.skip('no /proc here');
    assert.equal(await alone(name, '/proc/nope'), 'ENOENT');
    assert.equal(await alone(name, '/proc/nope/below/it'), 'ENOENT');
  });
}

test('folders are made from the topmost down, and what was made is told', async () => {
  await using place = await temporaryFolder();
  const at = (name: string): string => path.join(place.path, name);
  assert.equal(await makeFolder(at('a/b/c'), 0o700), at('a'));
  assert.equal((await stat(at('a/b'))).mode & 0o777, 0o700);
  assert.equal(await makeFolder(at('a/b/c')), undefined);
  assert.equal(await makeFolder(at('a/b/d')), at('a/b/d'));
  makeFolderNow(at('x/y'));
  makeFolderNow(at('x/y'));
  await symlink('x', at('link'));
  assert.equal(await makeFolder(at('link')), undefined);
  assert.equal(await makeFolder(at('link/z')), at('link/z'));
  await writeFile(at('file'), '');
  for (const name of ['file', 'file/below']) {
    await assert.rejects(makeFolder(at(name)), { code: name === 'file' ? 'EEXIST' : 'ENOTDIR' });
    assert.throws(() => makeFolderNow(at(name)));
  }
});

test('many at once make each folder once', async () => {
  await using place = await temporaryFolder();
  const wanted = path.join(place.path, 'a/b/c/d');
  const made = await Promise.all(Array.from({ length: 20 }, () => makeFolder(wanted)));
  assert.ok(made.includes(path.join(place.path, 'a')));
  assert.ok((await stat(wanted)).isDirectory());
});

test("nothing makes folders in Node's way", async () => {
  for (const name of await readdir(SOURCE, { recursive: true })) {
    if (!name.endsWith('.ts')) continue;
    const text = await readFile(path.join(SOURCE, name), 'utf8');
    assert.doesNotMatch(text, /\bmkdir(?:Sync)?\([^;]*recursive: true/, name);
  }
});
