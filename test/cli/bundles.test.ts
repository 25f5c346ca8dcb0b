import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { link, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import type { Actions } from '../../src/cli/actions.ts';
import type { ExportChoices, ImportChoices } from '../../src/cli/bundle-actions.ts';
import { digestOf } from '../../src/core/digest.ts';
import { temporaryFolder } from '../fixtures/temporary.ts';
import { noActions, noBundles } from './no-actions.ts';
import { typed } from './typed.ts';

const DIGEST = digestOf(Buffer.from('an image'));
const ROOT = { digest: DIGEST, mediaType: 'application/vnd.oci.image.manifest.v1+json', size: 8 };

async function ran(line: readonly string[], watched: 'yes' | 'no' = 'no') {
  const asked: { exports: ExportChoices[]; imports: ImportChoices[] } = {
    exports: [],
    imports: [],
  };
  const actions: Actions = {
    ...noActions,
    bundles: {
      ...noBundles,
      async export(choices) {
        asked.exports.push(choices);
        choices.begin(100);
        choices.progress(100);
        const image = { name: 'a.io/b:1', hosted: false, root: ROOT, platforms: [], referrers: [] };
        const content = [{ ...ROOT, in: 'bundle' as const }];
        return { lock: { images: [{ ...image, leftOut: [] }], content }, bytes: 4_096 };
      },
      async import(choices) {
        asked.imports.push(choices);
        choices.begin(50);
        choices.progress(50);
        const without = choices.file === 'one.tar' ? [] : ['linux/arm64', 'linux/s390x'];
        const images = [{ name: 'a.io/b:1', digest: DIGEST, outcome: 'new' as const, without }];
        return { images, blobs: 3, bytes: 2_048 };
      },
    },
  };
  return { ...(await typed(line, { actions, watched })), ...asked };
}

test('export tells what it wrote, and asks for what was said', async () => {
  const { code, error, exports } = await ran(['export', 'a.io/b:1', 'a.io/**', '-o', 'x.tar']);
  assert.equal(code, 0);
  assert.equal(error, 'x.tar: 1 image: 1 blob, 8 B, 4.0 KiB in all\n');
  const [choices] = exports;
  assert.deepEqual(choices?.patterns, ['a.io/b:1', 'a.io/**']);
  assert.deepEqual(
    [choices?.output, choices?.lock, choices?.since, choices?.platforms, choices?.referrers],
    ['x.tar', 'x.tar.lock.json', undefined, 'stored', 'stored'],
  );
});

test('export: platforms, referrers, lock, and the bundle before', async () => {
  const flags = ['--platform', 'linux/amd64,arm64', '--platform', 'linux/arm/v7', '--no-referrers'];
  const more = ['--lock', 'x.lock', '--since', 'old.tar'];
  const { exports } = await ran(['export', 'a.io/b:1', '-o', 'x.tar', ...flags, ...more]);
  const [choices] = exports;
  assert.deepEqual(choices?.platforms, [
    { os: 'linux', architecture: 'amd64' },
    { os: 'linux', architecture: 'arm64' },
    { os: 'linux', architecture: 'arm', variant: 'v7' },
  ]);
  assert.deepEqual(
    [choices?.referrers, choices?.lock, choices?.since],
    ['none', 'x.lock', 'old.tar'],
  );
  const all = await ran(['export', 'x', '-o', 'x.tar', '--referrers', '--platform', 'all']);
  assert.deepEqual([all.exports[0]?.referrers, all.exports[0]?.platforms], ['all', 'all']);
});

test('export to standard output writes no lock beside it, unless that is said', async () => {
  const { error, exports } = await ran(['export', 'x', '-o', '-']);
  assert.match(error, /^standard output: 1 image/);
  assert.deepEqual([exports[0]?.output, exports[0]?.lock], ['-', undefined]);
  const locked = await ran(['export', 'x', '-o', '-', '--lock', 'x.lock']);
  assert.equal(locked.exports[0]?.lock, 'x.lock');
});

test('export into what is no file writes no lock beside it either', async () => {
  await using folder = await temporaryFolder();
  const [pipe, link] = [path.join(folder.path, 'pipe'), path.join(folder.path, 'link')];
  execFileSync('mkfifo', [pipe]);
  await symlink('/dev/stdout', link);
  for (const file of ['/dev/stdout', '/dev/fd/1', pipe, link]) {
    const { exports, code } = await ran(['export', 'x', '-o', file]);
    assert.deepEqual([code, exports[0]?.output, exports[0]?.lock], [0, file, undefined], file);
    const locked = await ran(['export', 'x', '-o', file, '--lock', 'x.lock']);
    assert.equal(locked.exports[0]?.lock, 'x.lock');
  }
  const dangling = path.join(folder.path, 'dangling');
  await symlink('there.tar', dangling);
  const { exports } = await ran(['export', 'x', '-o', dangling]);
  assert.equal(exports[0]?.lock, `${dangling}.lock.json`);
});

test('import takes one archive after the other, and lists what came', async () => {
  const { code, out, error, imports } = await ran(['import', 'one.tar', 'two.tar']);
  assert.equal(code, 0);
  assert.deepEqual(
    imports.map(({ file, tags, as, platforms }) => [file, tags, as, platforms]),
    [
      ['one.tar', 'keep', undefined, []],
      ['two.tar', 'keep', undefined, []],
    ],
  );
  const line = `a.io/b:1  ${DIGEST}  new`;
  assert.equal(out, `${line}\n${line}, without linux/arm64, linux/s390x\n`);
  assert.match(error, /one\.tar: 1 image: 3 blobs, 2\.0 KiB new\ntwo\.tar: /);
});

test('import as JSON, quietly, and with all that can be said of one archive', async () => {
  const flags = ['--json', '-q', '--overwrite', '--as', 'a.io/c:1', '--lock', 'l.json'];
  const { out, error, imports } = await ran(['import', 'one.tar', ...flags]);
  assert.equal(error, '');
  assert.deepEqual(JSON.parse(out), {
    file: 'one.tar',
    images: [{ name: 'a.io/b:1', digest: DIGEST, outcome: 'new', without: [] }],
    blobs: 3,
    bytes: 2_048,
  });
  const [{ tags, as, lock } = {}] = imports;
  assert.deepEqual([tags, as, lock], ['overwrite', 'a.io/c:1', 'l.json']);
});

test('a bar on a terminal', async () => {
  const { error } = await ran(['import', 'one.tar'], 'yes');
  // Drawn over, the line that stays is the last.
  assert.ok(error.includes('\u001b[J'));
  assert.match(error, /one\.tar: 1 image/);
});

for (const line of [
  ['import', 'one.tar', 'two.tar', '--as', 'a.io/c:1'],
  ['import', 'one.tar', '--platform', 'linux/'],
  ['import', '-', '-'],
  ['export', 'x'],
  ['export', 'x', '-o', '-', '--json'],
  ['export', 'x', '-o', '/dev/stdout', '--json'],
  ['export', 'x', '-o', 'x.tar', '--platform', 'all,linux/amd64'],
]) {
  test(`makes no sense: ${line.join(' ')}`, async () => {
    const { code, exports, imports } = await ran(line);
    assert.equal(code, 2);
    assert.equal(exports.length + imports.length, 0);
  });
}

test('export never writes over its lock, nor over what it goes on from', async () => {
  await using folder = await temporaryFolder();
  const at = (name: string): string => path.join(folder.path, name);
  await writeFile(at('a.tar'), 'the bundle before');
  await writeFile(at('a.tar.lock.json'), '{}');
  await symlink(at('a.tar'), at('link.tar'));
  await link(at('a.tar'), at('hard.tar'));
  for (const line of [
    ['-o', at('z.tar'), '--lock', at('z.tar')],
    ['-o', at('z.tar'), '--lock', `${folder.path}/./z.tar`],
    ['-o', at('a.tar'), '--since', at('a.tar')],
    ['-o', at('link.tar'), '--since', at('a.tar')],
    ['-o', at('hard.tar'), '--since', at('a.tar')],
    // The lock of the new one would lie where that of the one before does.
    ['-o', at('a.tar'), '--since', at('a.tar.lock.json')],
    ['-o', at('b.tar'), '--since', at('a.tar'), '--lock', at('link.tar')],
  ]) {
    const { code, error, exports } = await ran(['export', 'x', ...line]);
    assert.equal(code, 2, line.join(' '));
    assert.match(error, /are the same file: /);
    assert.deepEqual(exports, []);
  }
  // Standard output is a pipe here.
  for (const same of ['/dev/stdout', '/dev/fd/1']) {
    const file = path.join(import.meta.dirname, '../../bin/layover');
    const child = spawnSync(file, ['export', 'x', '-o', '-', '--lock', same], { timeout: 60_000 });
    assert.equal(child.status, 2);
    assert.match(child.stderr.toString(), /are the same file: /);
  }
  const other = ['--since', at('a.tar.lock.json'), '--lock', at('b.lock')];
  assert.equal((await ran(['export', 'x', '-o', at('b.tar'), ...other])).code, 0);
  assert.equal((await ran(['export', 'x', '-o', '/dev/null', '--lock', '/dev/null'])).code, 0);
});
