import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { browseTarget } from '../../src/cli/browse-target.ts';
import { shortDigest } from '../../src/cli/short-digest.ts';
import { formatLocation } from '../../src/image/location.ts';
import { file, folder, layerOf } from '../fixtures/layer-builder.ts';
import { pseudoTerminal, withoutTerminals } from '../fixtures/pseudo-terminal.ts';
import { entryOf, putImage, world, type World } from './compat/world.ts';
import { here } from './here.ts';

const PROGRAM = fileURLToPath(new URL('../../bin/layover', import.meta.url));
const BASE = layerOf([folder('etc'), file('etc/old', 'old'), file('etc/x', 'below')]);
const TOP = layerOf([file('etc/x', 'above'), file('etc/.wh.old'), file('a\u001bb', 'odd')]);
const CONFIG = {
  created: '2026-01-02T03:04:05Z',
  config: { Env: ['B=1'], Entrypoint: ['/bin/app'], Labels: { by: 'me\u001b[2J' } },
  history: [
    { created_by: 'ADD base' },
    { created_by: 'ENV B=1', empty_layer: true },
    { created_by: 'RUN top' },
  ],
};

const put = (there: World, name = 'owner/app', tag = 'v1') =>
  putImage(there.registry, name, tag, [BASE, TOP], { config: CONFIG });

const browsed = (there: World, where: string, typed: readonly string[], ...flags: string[]) =>
  here(['browse', where, ...flags], {
    environment: { HOME: there.home },
    stdin: typed.map((line) => `${line}\n`).join(''),
  });

test('browse walks from a registry to a file on this disk', async () => {
  await using there = await world();
  const { manifest, layers } = put(there);
  putImage(there.registry, 'alone', 'v1', [BASE]);
  const target = there.at('x');
  const typed = ['2', 'v1', 'c', '/etc/x', target, 'q'];
  const { code, out } = await browsed(there, `http://${there.host}/`, typed);
  assert.equal(code, 0);
  assert.equal(await readFile(target, 'utf8'), 'above');
  for (const part of [
    `Repositories of ${there.host}: 2\n    1. alone\n    2. owner/app\n`,
    `Tags of ${there.host}/owner/app: 1\n    1. v1\n`,
    `  digest      ${manifest.digest}\n`,
    '  platform    linux/amd64\n',
    '  entrypoint  ["/bin/app"]\n',
    '  label       by=me\\x1b[2J\n',
    `\nLayers: 2, the base first\n1.  ${layers[0]?.digest}  `,
    `Saved ${target}: 1 file, 5 B\n`,
  ]) {
    assert.ok(out.includes(part), `${part}\nis not in\n${out}`);
  }
  assert.match(out, /Build history:\nLAYER .*\n +1 .*ADD base\n +- .*ENV B=1\n +2 .*RUN top\n/);
  assert.ok(!out.includes('\u001b'));
});

test('browse follows no link under a name that it makes itself', async () => {
  await using there = await world();
  const { layers } = put(there);
  await mkdir(there.at('folder'));
  await writeFile(there.at('precious'), 'precious');
  const [base] = layers;
  assert.ok(base !== undefined);
  const name = `owner-app-layer1-${shortDigest(base.digest)}.tar.gz`;
  for (const link of ['x', name]) await symlink('../precious', there.at(`folder/${link}`));
  const before = process.cwd();
  process.chdir(there.at('folder'));
  try {
    for (const typed of [
      ['s', '1', there.at('folder')],
      ['c', '/etc/x', ''],
    ]) {
      const where = `${there.host}/owner/app:v1`;
      const { out, error } = await browsed(there, where, [...typed, 'q'], '--plain-http');
      assert.match(out + error, /it is no ordinary file/);
    }
  } finally {
    process.chdir(before);
  }
  assert.equal(await readFile(there.at('precious'), 'utf8'), 'precious');
});

test('browse looks into layers, folders and for files', async () => {
  await using there = await world();
  put(there);
  const where = `${there.host}/owner/app:v1`;
  const typed = ['p', '2-1', 'l', 'etc', 'f', 'x', 'q'];
  const { code, out } = await browsed(there, where, typed, '--plain-http');
  assert.equal(code, 0);
  const [, seen = ''] = out.split(/the base first\n[^]*?\n\n/);
  const names = seen.split('\n').flatMap((line) => / {2}(\/.*)$/.exec(line)?.[1] ?? []);
  assert.deepEqual(names, [
    '/etc/',
    '/etc/old',
    '/etc/x',
    '/etc/x',
    '/etc/old  (deletes it)',
    '/a\\x1bb',
    '/etc/x',
    '/etc/x',
  ]);
  assert.match(seen, /^Layer 1 [0-9a-f]{12}:\n[^]*\nLayer 2 [0-9a-f]{12}:\n/);
});

test('browse saves layers as they are stored', async () => {
  await using there = await world();
  const { layers } = put(there);
  const typed = ['s', 'a', there.at('saved'), 'q'];
  const { code, error } = await browsed(there, `${there.host}/owner/app:v1`, typed);
  assert.equal(code, 0, error);
  const names = layers.map(
    ({ digest }, index) => `owner-app-layer${index + 1}-${digest.slice(7, 19)}.tar.gz`,
  );
  assert.deepEqual((await readdir(there.at('saved'))).toSorted(), names);
  assert.deepEqual(await readFile(there.at(`saved/${names[1]}`)), TOP);
});

test('browse asks for the platform where there are several, unless it is told', async () => {
  await using there = await world();
  const both = (['amd64', 'riscv64'] as const).map((architecture) => {
    const platform = { os: 'linux', architecture };
    const layers = [layerOf([file(architecture)])];
    return entryOf(putImage(there.registry, 'many', undefined, layers, { platform }), platform);
  });
  there.registry.addIndex('many', 'v1', both);
  const where = `${there.host}/many:v1`;
  const asked = await browsed(there, where, ['linux/riscv64', 'b', '1', 'q']);
  assert.equal(asked.code, 0);
  assert.match(asked.out, /Platforms: 2\n +1\. linux\/amd64\n +2\. linux\/riscv64\n/);
  assert.match(asked.out, /platform +linux\/riscv64\n[^]*platform +linux\/amd64\n/);
  const told = await browsed(there, where, ['q'], '--platform', 'linux/riscv64');
  assert.ok(!told.out.includes('Platforms:'));
  assert.match(told.out, /platform +linux\/riscv64\n/);
});

test('browse: what is nowhere to begin at ends with 2', async () => {
  await using there = await world();
  for (const where of ['http://', 'http://a b/', 'a b', 'http://host/UPPER']) {
    const { code, error } = await browsed(there, where, []);
    assert.equal(code, 2, where);
    assert.match(error, /^layover: [^\n]+\n/);
  }
});

test('browse shows long lists in pages, and less of them', async () => {
  await using there = await world();
  const { manifest } = put(there);
  for (let number = 0; number < 44; number += 1) {
    there.registry.tag('owner/app', `t${`${number}`.padStart(2, '0')}`, manifest.digest);
  }
  const where = `http://${there.host}/owner/app`;
  const { code, out } = await browsed(there, where, ['n', '', '/t1', '3', 'b', 'b']);
  assert.equal(code, 0);
  assert.match(out, /^ +20\. t19\n {7}25 more\n +21\. t20\n[^]* +40\. t39\n {7}5 more\n +41\. /m);
  assert.match(out, / +45\. v1\n +11\. t10\n[^]* +20\. t19\n\n/);
  assert.ok(out.includes(`\n${there.host}/owner/app:t02\n`));
});

const REFUSED = [
  [['x'], 'There is no tag "x".'],
  [['2'], 'Invalid selection. Please enter a number between 1 and 1.'],
  [['1', 'z'], 'Please enter one of p, l, f, c, s, b, q.'],
  [['1', 'p', '1-x'], "Error: Invalid range format. Use format like '1-5'."],
  [['1', 's', '0'], 'Error: Layer 0 is out of range. Must be between 1 and 2.'],
] as const;

for (const [typed, says] of REFUSED) {
  test(`browse: where lines come from a file, what is no choice is the end: ${typed.join(' ')}`, async () => {
    await using there = await world();
    put(there);
    const { code, error } = await browsed(there, `${there.host}/owner/app`, [...typed, 'q']);
    assert.equal(code, 1);
    assert.ok(error.endsWith(`\nlayover: ${says.replace('Error: ', '')}\n`), error);
  });
}

test(
  'browse: at a terminal what is no choice is told, and asked for again',
  { skip: withoutTerminals(), timeout: 30_000 },
  async () => {
    await using there = await world();
    put(there);
    const env = { PATH: process.env['PATH'] ?? '', HOME: there.at('.'), TERM: 'xterm' };
    const command = [PROGRAM, 'browse', `http://${there.host}/owner/app`];
    await using terminal = pseudoTerminal(command, { env, cwd: there.at('.') });
    const at = { tag: 'tag (', image: 'q quit: ', layers: 'Layers (' } as const;
    for (const [question, answer, says] of [
      [at.tag, 'x', REFUSED[0][1]],
      [at.tag, '2', REFUSED[1][1]],
      [at.tag, '1', ''],
      [at.image, 'z', REFUSED[2][1]],
      [at.image, 'p', ''],
      [at.layers, '1-x', REFUSED[3][1]],
      [at.layers, '0', REFUSED[4][1]],
      [at.layers, 'b', ''],
      [at.image, 'q', ''],
    ] as const) {
      await terminal.shows(question);
      terminal.type(`${answer}\r`);
      await terminal.shows(says);
    }
    assert.equal(await terminal.ended, 0, terminal.shown);
  },
);

for (const typed of [[], ['1'], ['1', 'p'], ['1', 'c'], ['1', 'c', 'etc/x'], ['1', 's', '1']]) {
  test(`browse ends where the lines end, with 0: ${typed.join(' ')}`, async () => {
    await using there = await world();
    put(there);
    assert.equal((await browsed(there, `${there.host}/owner/app`, typed)).code, 0);
  });
}

test('browse: where lines come from a file, a failure is the end, with a line and 1', async () => {
  await using there = await world();
  const damaged = layerOf([file('a', 'content')]).subarray(0, 40);
  putImage(there.registry, 'bad', 'v1', [damaged]);
  const target = there.at('a');
  for (const [where, typed] of [
    [`${there.host}/bad:v2`, ['q']],
    [`${there.host}/bad:v1`, ['c', 'a', target, 'q']],
    [`${there.host}/bad:v1`, ['p', 'a', 'q']],
    [`${there.host}/none`, ['q']],
  ] as const) {
    const { code, error } = await browsed(there, where, typed);
    assert.equal(code, 1, where);
    assert.match(error, /(?:^|\n)layover: [^\n]+\n$/);
  }
  assert.ok(!(await readdir(there.at('.'))).includes('a'));
});

test(
  'browse: at a terminal a failure is told, and the walk goes on; pages; q and Ctrl-C leave',
  {
    skip: withoutTerminals(),
    timeout: 30_000,
  },
  async () => {
    await using there = await world();
    const many = Array.from({ length: 60 }, (_, number) => file(`f${number}`));
    putImage(there.registry, 'many', 'v1', [layerOf(many)]);
    const env = { PATH: process.env['PATH'] ?? '', HOME: there.at('.'), TERM: 'xterm' };
    const command = [PROGRAM, 'browse', `http://${there.host}`];
    for (const [leave, code] of [
      ['q\r', 0],
      ['\u0003', 130],
      ['\u0004', 0],
    ] as const) {
      await using terminal = pseudoTerminal(command, { env, cwd: there.at('.') });
      await terminal.shows('repository (');
      terminal.type('many\r');
      await terminal.shows('tag (');
      terminal.type('1\r');
      await terminal.shows('q quit: ');
      terminal.type('c\r');
      await terminal.shows('File or folder: ');
      terminal.type('nowhere\r');
      await terminal.shows('Save as [nowhere]: ');
      terminal.type('\r');
      await terminal.shows('no such file in the image: nowhere');
      await terminal.shows('q quit: ');
      terminal.type('p\r');
      await terminal.shows('Layers (');
      terminal.type('a\r');
      await terminal.shows('/f39');
      await terminal.shows('-- Enter for more');
      assert.ok(!terminal.shown.includes('/f40'));
      terminal.type('\r');
      await terminal.shows('60 entries');
      await terminal.shows('q quit: ');
      terminal.type(leave);
      assert.equal(await terminal.ended, code, terminal.shown);
    }
  },
);

for (const [text, reads] of [
  ['http://localhost:5000/', 'registry localhost:5000 http'],
  ['HTTPS://ghcr.io', 'registry ghcr.io https'],
  ['http://registry', 'registry registry http'],
  ['ghcr.io', 'registry ghcr.io'],
  ['localhost', 'registry localhost'],
  ['localhost:5000', 'registry localhost:5000'],
  ['[::1]:5000/', 'registry [::1]:5000'],
  ['http://registry/owner/app', 'repository registry owner/app http'],
  ['ghcr.io/owner/app', 'repository ghcr.io owner/app'],
  ['alpine', 'repository docker.io library/alpine'],
  ['alpine:3', 'image docker.io/library/alpine:3'],
  ['alpine:3.20', 'image docker.io/library/alpine:3.20'],
  ['localhost:5000/a:latest', 'image localhost:5000/a:latest'],
  ['https://localhost:5000/a:v1', 'image localhost:5000/a:v1 https'],
  ['http://registry/a:v1', 'image registry/a:v1 http'],
  ['oci:./folder', 'image oci:./folder'],
  ['docker-archive:app.tar', 'image docker-archive:app.tar'],
] as const) {
  test(`browse begins at ${text}`, () => {
    const target = browseTarget(text);
    const where =
      target.kind === 'registry'
        ? target.host
        : target.kind === 'repository'
          ? `${target.repository.host} ${target.repository.path}`
          : formatLocation(target.location);
    const scheme = { undefined: '', true: ' http', false: ' https' }[`${target.plainHttp}`];
    assert.equal(`${target.kind} ${where}${scheme}`, reads);
  });
}
