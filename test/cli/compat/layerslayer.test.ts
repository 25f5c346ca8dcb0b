import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { mkdir, readFile, stat, symlink as linkTo, writeFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { entryLine, sizeText } from '../../../src/cli/compat/layerslayer/listing.ts';
import { digestOf } from '../../../src/core/digest.ts';
import { MEDIA_TYPES } from '../../../src/core/media-type.ts';
import { pattern } from '../../fixtures/collect.ts';
import { gate } from '../../fixtures/gate.ts';
import {
  file,
  folder,
  hardlink,
  layerOf,
  opaque,
  symlink,
  whiteout,
} from '../../fixtures/layer-builder.ts';
import { entryOf, putImage, world, type World } from './world.ts';

const BASE = layerOf([
  folder('etc'),
  file('etc/passwd', 'old', { mode: 0o600 }),
  file('etc/gone', 'deleted'),
  file('etc/base', 'base', { uid: 7, gid: 42 }),
]);
const TOP = layerOf(
  [
    file('etc/passwd', 'new', { mode: 0o640 }),
    whiteout('etc/gone'),
    symlink('etc/link', 'passwd'),
    hardlink('etc/hard', 'etc/passwd'),
  ],
  'zstd',
);
const HISTORY = [
  { created_by: 'ADD base' },
  { created_by: 'ENV A=1', empty_layer: true },
  { created_by: 'RUN top' },
];

function put(here: World, repository = 'user/app') {
  return putImage(here.registry, repository, 'v1', [BASE, TOP], {
    config: { history: HISTORY },
    types: ['gzip', 'zstd'],
  });
}

function putIndex(here: World) {
  const platforms = ['arm64', 'amd64'].map((architecture) => ({ os: 'linux', architecture }));
  const entries = platforms.map((platform, index) => {
    const layers = [layerOf([file(platform.architecture, `${index}`)])];
    return entryOf(putImage(here.registry, 'user/many', undefined, layers, { platform }), platform);
  });
  here.registry.addManifest('user/many', 'v1', {
    schemaVersion: 2,
    mediaType: MEDIA_TYPES.ociIndex,
    manifests: entries,
  });
}

for (const [bytes, text] of [
  [0, '0.0 B'],
  [1023, '1023.0 B'],
  [1536, '1.5 KB'],
  [5 * 2 ** 20, '5.0 MB'],
  [2 ** 31, '2.0 GB'],
  [2 ** 41, '2.0 TB'],
] as const) {
  test(`layerslayer sizes: ${bytes}`, () => assert.equal(sizeText(bytes), text));
}

const PLAIN = { mode: 0o644, uid: 0, gid: 1000, size: 1536, mtime: 1_700_000_000, link: undefined };

for (const [says, entry, long, simple] of [
  [
    'a file',
    { ...PLAIN, name: 'a', type: 'file' },
    '  -rw-r--r--     0 1000    1.5 KB  2023-11-14 22:13  a',
    '  [FILE] a (1.5 KB)',
  ],
  [
    'a folder',
    { ...PLAIN, name: 'a', type: 'directory', mode: 0o755, size: 0 },
    '  drwxr-xr-x     0 1000     0.0 B  2023-11-14 22:13  a/',
    '  [DIR]  a/',
  ],
  [
    'a link without a time',
    { ...PLAIN, name: 'a', type: 'symlink', size: 0, link: '/b', mtime: 0 },
    '  lrw-r--r--     0 1000     0.0 B  ----.--.-- --:--  a -> /b',
    '  [LINK] a -> /b',
  ],
  [
    'a hard link',
    { ...PLAIN, name: 'a', type: 'hardlink', size: 0, link: 'b' },
    '  hrw-r--r--     0 1000     0.0 B  2023-11-14 22:13  a -> b',
    '  [LINK] a -> b',
  ],
  [
    'a name that would steer the terminal',
    { ...PLAIN, name: 'a\u001b[2J', type: 'file' },
    '  -rw-r--r--     0 1000    1.5 KB  2023-11-14 22:13  a\\x1b[2J',
    '  [FILE] a\\x1b[2J (1.5 KB)',
  ],
] as const) {
  test(`layerslayer lists ${says}`, () => {
    assert.equal(entryLine(entry, 'long'), long);
    assert.equal(entryLine(entry, 'simple'), simple);
  });
}

test('layerslayer without a mode prints its help and ends with 0', async () => {
  await using here = await world();
  for (const line of [[], ['-t', 'user/app'], ['--help']]) {
    const { code, out } = await here.run('layerslayer', line);
    assert.equal(code, 0);
    assert.match(out, /^usage: layerslayer [\s\S]*--carve-file/);
  }
});

test('layerslayer: a line that makes no sense ends with 2', async () => {
  await using here = await world();
  const { code, out, error } = await here.run('layerslayer', ['--arch', 'amd64', '-i']);
  assert.deepEqual([code, out], [2, '']);
  assert.match(error, /layerslayer: error: argument --arch\/-a: invalid int value: 'amd64'/);
});

test('layerslayer --peek-all shows every layer whole, gzip and zstd', async () => {
  await using here = await world();
  const { layers } = put(here);
  const { code, out } = await here.run('layerslayer', [
    '-t',
    `${here.host}/user/app:v1`,
    '--peek-all',
  ]);
  assert.equal(code, 0);
  const size = layers.map(({ size }) => sizeText(size));
  assert.deepEqual(out.split('\n'), [
    ' Welcome to Layerslayer ',
    '',
    'Single-arch image detected; using manifest directly',
    '',
    'Build steps:',
    ' [0] ADD base',
    ' [1] ENV A=1 (metadata only)',
    ' [2] RUN top',
    '',
    '[*] Peeking into all layers (complete enumeration):',
    '',
    `[Layer 0] ${layers[0]?.digest}`,
    `           Size: ${size[0]}`,
    `  [Stats] Downloaded: ${size[0]} of ${size[0]} (100.0%)`,
    '  [Stats] Files found: 4 (complete)',
    '',
    '  Layer contents:',
    '  drwxr-xr-x     0    0     0.0 B  2023-11-14 22:13  etc/',
    '  -rw-------     0    0     3.0 B  2023-11-14 22:13  etc/passwd',
    '  -rw-r--r--     0    0     7.0 B  2023-11-14 22:13  etc/gone',
    '  -rw-r--r--     7   42     4.0 B  2023-11-14 22:13  etc/base',
    '',
    `[Layer 1] ${layers[1]?.digest}`,
    `           Size: ${size[1]}`,
    `  [Stats] Downloaded: ${size[1]} of ${size[1]} (100.0%)`,
    '  [Stats] Files found: 4 (complete)',
    '',
    '  Layer contents:',
    '  -rw-r-----     0    0     3.0 B  2023-11-14 22:13  etc/passwd',
    '  -rw-r--r--     0    0     0.0 B  2023-11-14 22:13  etc/.wh.gone',
    '  lrwxrwxrwx     0    0     0.0 B  2023-11-14 22:13  etc/link -> passwd',
    '  hrw-r--r--     0    0     0.0 B  2023-11-14 22:13  etc/hard -> etc/passwd',
    '',
  ]);
});

test('layerslayer --peek-layer shows one layer, --hide-build no steps', async () => {
  await using here = await world();
  put(here);
  const line = ['-t', `${here.host}/user/app:v1`, '--peek-layer', '1', '--hide-build'];
  const { code, out } = await here.run('layerslayer', line);
  assert.equal(code, 0);
  assert.match(out, /\nBuild steps: hidden \(3 steps\)\n\n\[Layer 1\]/);
  assert.doesNotMatch(out, /\[Layer 0\]/);
  const none = await here.run('layerslayer', [
    '-t',
    `${here.host}/user/app:v1`,
    '--peek-layer',
    '2',
  ]);
  assert.equal(none.code, 1);
  assert.equal(none.error, '[!] Error: there is no layer 2. Valid indices: 0-1\n');
});

test('layerslayer --bulk-peek shows the entries of all layers, --simple-output their names', async () => {
  await using here = await world();
  put(here);
  const line = ['-t', `${here.host}/user/app:v1`, '--bulk-peek', '--simple-output'];
  const { code, out } = await here.run('layerslayer', line);
  assert.equal(code, 0);
  assert.match(out, /\n {2}\[1\/2\] Peeking layer 1\/2\n {2}\[2\/2\] Peeking layer 2\/2\n/);
  assert.match(out, /\nLayers peeked: 2\nTotal downloaded: [\d.]+ B\nTotal files found: 8\n/);
  assert.match(
    out,
    /Combined filesystem:\n {2}\[DIR\] {2}etc\/\n {2}\[FILE\] etc\/passwd \(3\.0 B\)\n/,
  );
  const quiet = await here.run('layerslayer', [...line, '-q', '-F']);
  assert.doesNotMatch(quiet.out, /Peeking layer/);
});

test('layerslayer asks before it peeks again, and --force does not', async () => {
  await using here = await world();
  const { layers } = put(here);
  const line = ['-t', `${here.host}/user/app:v1`, '--peek-layer=0'];
  const fetched = () => here.registry.requests.length;
  await here.run('layerslayer', line);
  const kept = await here.run('layerslayer', line, { typed: 'n\n' });
  assert.match(kept.error, / {2}Overwrite existing data\? \[y\/N\]: /);
  assert.match(kept.out, /etc\/passwd\n/);
  const forced = await here.run('layerslayer', [...line, '--force']);
  assert.doesNotMatch(forced.error, /Overwrite/);
  assert.match(forced.out, /etc\/passwd\n/);
  assert.ok(layers.length === 2 && fetched() > 0);
});

test('layerslayer: platforms are chosen by their number, by --arch or the prompt', async () => {
  await using here = await world();
  putIndex(here);
  const line = ['-t', `${here.host}/user/many:v1`, '--peek-all'];
  const asked = await here.run('layerslayer', line, { typed: '\n' });
  assert.match(asked.out, /Available platforms:\n \[0\] linux\/arm64\n \[1\] linux\/amd64\n/);
  assert.match(asked.error, /Select a platform \[0\]: /);
  assert.match(asked.out, / {2}arm64\n/);
  const given = await here.run('layerslayer', [...line, '-a', '1']);
  assert.match(given.out, /Using platform index 1 \(from --arch\)\n/);
  assert.match(given.out, / {2}amd64\n/);
  const beyond = await here.run('layerslayer', [...line, '-a', '2']);
  assert.equal(beyond.code, 1);
  assert.equal(beyond.error, '[!] Error: --arch 2 is out of range. Valid indices: 0-1\n');
});

test('layerslayer --save-all saves layers under their digests, in a folder called latest', async () => {
  await using here = await world();
  const { layers } = put(here);
  await mkdir(here.at('cwd'));
  const before = process.cwd();
  process.chdir(here.at('cwd'));
  try {
    const { code, out } = await here.run('layerslayer', [
      '-t',
      `${here.host}/user/app:v1`,
      '--save-all',
    ]);
    assert.equal(code, 0);
    for (const [index, [bytes, end]] of (
      [
        [BASE, 'gz'],
        [TOP, 'zst'],
      ] as const
    ).entries()) {
      const digest = layers[index]?.digest ?? '';
      const target = `downloads/user_app/latest/${digest.replace(':', '_')}.tar.${end}`;
      assert.equal(digestOf(await readFile(target)), digestOf(bytes));
      assert.ok(out.includes(`Downloading Layer [${index}] ${digest} ...\n`));
      assert.ok(out.includes(`[+] Saved layer ${digest} to ${target}\n`));
    }
  } finally {
    process.chdir(before);
  }
});

test('layerslayer --save-all follows no link that lies where a layer is to be', async () => {
  await using here = await world();
  const [base] = put(here).layers;
  const folder = here.at('cwd/downloads/user_app/latest');
  await mkdir(folder, { recursive: true });
  await writeFile(here.at('precious'), 'precious');
  const name = `${base?.digest.replace(':', '_')}.tar.gz`;
  await linkTo(here.at('precious'), `${folder}/${name}`);
  const before = process.cwd();
  process.chdir(here.at('cwd'));
  try {
    const line = ['-t', `${here.host}/user/app:v1`, '--save-all'];
    const { code, error } = await here.run('layerslayer', line);
    assert.equal(code, 1);
    assert.match(error, /it is no ordinary file/);
  } finally {
    process.chdir(before);
  }
  assert.equal(await readFile(here.at('precious'), 'utf8'), 'precious');
});

test('layerslayer -i asks what to peek into and what to save', async () => {
  await using here = await world();
  put(here);
  await mkdir(here.at('cwd'));
  const before = process.cwd();
  process.chdir(here.at('cwd'));
  try {
    const typed = `${here.host}/user/app:v1\n1, 0\ny\n\n`;
    const { code, out, error } = await here.run('layerslayer', ['-i'], { typed });
    assert.equal(code, 0, error);
    assert.ok(error.startsWith('Enter image (user/repo:tag) [example: moby/buildkit:latest]: '));
    assert.match(out, /\nLayers:\n \[0\] sha256:[0-9a-f]{64} - [\d.]+ B\n/);
    assert.ok(out.indexOf('[Layer 1]') < out.indexOf('[Layer 0]'));
    assert.equal(out.match(/\[\+\] Saved layer/g)?.length, 1);
    assert.equal(error.match(/^Download this layer\? \(y\/N\) $/gm)?.length, 2);
  } finally {
    process.chdir(before);
  }
});

test('layerslayer -f gets the file that a container would see, not the oldest', async () => {
  await using here = await world();
  put(here);
  const line = ['-t', `${here.host}/user/app:v1`, '-o', here.at('out'), '-f'];
  const { code, out } = await here.run('layerslayer', [...line, '/etc/passwd']);
  assert.equal(code, 0);
  const target = here.at('out/etc/passwd');
  assert.equal(await readFile(target, 'utf8'), 'new');
  assert.equal((await stat(target)).mode & 0o777, 0o640);
  assert.match(out, / {2}FOUND: \/etc\/passwd \(3 bytes\)\n/);
  assert.ok(out.includes(`\nDone! File saved to: ${target}\n`));
  assert.match(out, /\nStats: Downloaded [\d.]+ B of [\d.]+ B layer \([\d.]+%\) in [\d.]+s\n$/);
});

for (const [says, wanted, more, content] of [
  ['a symbolic link is followed', '/etc/link', [], 'new'],
  ['a hard link is followed', 'etc/hard', [], 'new'],
  ['one layer of several', '/etc/passwd', ['--carve-layer', '0'], 'old'],
  ['what a layer above deletes', '/etc/gone', ['--carve-layer=0'], 'deleted'],
] as const) {
  test(`layerslayer -f: ${says}`, async () => {
    await using here = await world();
    put(here);
    const line = ['-t', `${here.host}/user/app:v1`, '-q', '-o', here.at('out')];
    const { code, out, error } = await here.run('layerslayer', [...line, '-f', wanted, ...more]);
    assert.equal(code, 0, error);
    assert.doesNotMatch(out, /Downloaded: .* -> /);
    assert.equal(await readFile(here.at(`out/${wanted}`), 'utf8'), content);
  });
}

for (const wanted of ['/etc/gone', '/nothing']) {
  test(`layerslayer -f: what is not there ends with 1: ${wanted}`, async () => {
    await using here = await world();
    put(here);
    const line = ['-t', `${here.host}/user/app:v1`, '-o', here.at('out'), '-f', wanted];
    const { code, out } = await here.run('layerslayer', line);
    assert.equal(code, 1);
    const escaped = wanted.replaceAll('/', '\\/');
    assert.match(
      out,
      new RegExp(`^File not found: ${escaped} \\(searched 2 layers in [\\d.]+s\\)\\n$`),
    );
    await assert.rejects(stat(here.at('out')));
  });
}

test('layerslayer -f takes linux/amd64 of several platforms, and fetches no more than it needs', async () => {
  await using here = await world();
  putIndex(here);
  const line = ['-t', `${here.host}/user/many:v1`, '-o', here.at('out'), '-f', 'amd64'];
  assert.equal((await here.run('layerslayer', line)).code, 0);
  assert.equal(await readFile(here.at('out/amd64'), 'utf8'), '1');
  const big = layerOf([file('first', 'x'), file('rest', pattern(3_000_000))], 'none');
  putImage(here.registry, 'user/big', 'v1', [big], { types: ['tar'] });
  const carved = await here.run('layerslayer', [
    '-t',
    `${here.host}/user/big:v1`,
    '-o',
    here.at('out'),
    '-f',
    'first',
  ]);
  assert.match(carved.out, /Stats: Downloaded [\d.]+ KB of 2\.9 MB layer/);
});

test('layerslayer -f counts the bytes of the layer that has the file, not of those above it', async () => {
  await using here = await world();
  const layers = [layerOf([file('wanted', 'x')]), layerOf([file('other', pattern(300_000))])];
  putImage(here.registry, 'user/two', 'v1', layers);
  const line = ['-t', `${here.host}/user/two:v1`, '-o', here.at('out'), '-f', 'wanted'];
  const { code, out } = await here.run('layerslayer', line);
  assert.equal(code, 0);
  assert.match(out, /Stats: Downloaded ([\d.]+ B) of \1 layer \(100\.0%\)/);
});

test('layerslayer -f never leaves the output folder', async () => {
  await using here = await world();
  put(here);
  const line = ['-t', `${here.host}/user/app:v1`, '-o', here.at('out'), '-f', '../../etc/base'];
  assert.equal((await here.run('layerslayer', line)).code, 0);
  assert.equal(await readFile(here.at('out/etc/base'), 'utf8'), 'base');
});

test('layerslayer: a registry that wants a login is told of, with 1', async () => {
  await using here = await world({ auth: { kind: 'basic', username: 'u', password: 'p' } });
  put(here);
  const image = `${here.host}/user/app:v1`;
  const { code, error } = await here.run('layerslayer', ['-t', image, '--peek-all']);
  assert.equal(code, 1);
  assert.equal(error, `X Error: Unauthorized fetching manifest for ${image}\n`);
});

test('layerslayer uses the login that docker has', async () => {
  await using here = await world({ auth: { kind: 'bearer', username: 'me', password: 'it' } });
  put(here);
  const auth = Buffer.from('me:it').toString('base64');
  await writeFile(here.at('config.json'), JSON.stringify({ auths: { [here.host]: { auth } } }));
  const environment = { DOCKER_CONFIG: here.at('.') };
  const line = ['-t', `${here.host}/user/app:v1`, '--peek-all'];
  const { code, error } = await here.run('layerslayer', line, { environment });
  assert.deepEqual([code, error], [0, '']);
});

test('layerslayer: a layer that is not what its digest says is not kept', async () => {
  await using here = await world();
  // What is wrong lies where the listing has no need to look.
  const layer = layerOf([file('x', pattern(3_000_000))], 'none');
  const { layers } = putImage(here.registry, 'user/app', 'v1', [layer], { types: ['tar'] });
  here.registry.misbehave(
    { path: new RegExp(layers[0]?.digest ?? '') },
    { kind: 'flip', at: 1_500_000 },
  );
  const line = ['-t', `${here.host}/user/app:v1`, '--peek-layer', '0'];
  assert.equal((await here.run('layerslayer', line)).code, 1);
  const { out } = await here.run('layerslayer', ['fslog', `${here.host}/user/app:v1`]);
  assert.match(out, /^No peeked layers of /);
});

test('layerslayer -l writes what is said to a file, too', async () => {
  await using here = await world();
  put(here);
  const log = here.at('log');
  const line = ['-t', `${here.host}/user/app:v1`, '--peek-layer', '0', '-l', log];
  const { out } = await here.run('layerslayer', line);
  assert.equal(await readFile(log, 'utf8'), out);
  const bad = await here.run('layerslayer', [...line.slice(0, -1), here.at('no/where')]);
  assert.deepEqual([bad.code, bad.out], [1, '']);
});

async function peekedWorld(): Promise<World> {
  const here = await world();
  put(here);
  await here.run('layerslayer', ['-t', `${here.host}/user/app:v1`, '--peek-all', '-F']);
  return here;
}

test('layerslayer fslog shows a folder of all layers, the highest first, and what became of entries', async () => {
  await using here = await peekedWorld();
  const image = `${here.host}/user/app:v1`;
  const { code, out } = await here.run('layerslayer', ['fslog', image, '/etc']);
  assert.equal(code, 0);
  const row = (mode: string, size: string, name: string, rest: string) =>
    `${mode}  ${size.padStart(10)}  2023-11-14 22:13  ${name.padEnd(50)} ${rest}`;
  assert.deepEqual(out.trimEnd().split('\n'), [
    row('-rw-r--r--', '4.0 B', 'etc/base', '[L0]'),
    row('-rw-r--r--', '7.0 B', 'etc/gone', '[L0] (deleted)'),
    row('hrw-r--r--', '0.0 B', 'etc/hard -> etc/passwd', '[L1]'),
    row('lrwxrwxrwx', '0.0 B', 'etc/link -> passwd', '[L1]'),
    row('-rw-r-----', '3.0 B', 'etc/passwd', '[L1]'),
    row('-rw-------', '3.0 B', 'etc/passwd', '[L0] (overridden)'),
  ]);
  const root = await here.run('layerslayer', ['fslog', image]);
  assert.match(root.out, /^drwxr-xr-x .* etc\/ +\[L0\]\n$/);
});

test('layerslayer fslog --single-layer shows a folder of one layer', async () => {
  await using here = await peekedWorld();
  const line = ['fslog', `${here.host}/user/app:v1`, '1', '/etc', '--single-layer'];
  const { code, out } = await here.run('layerslayer', line);
  assert.equal(code, 0);
  assert.deepEqual(
    out
      .trimEnd()
      .split('\n')
      .map((text) => text.slice(42).trim()),
    ['etc/.wh.gone', 'etc/hard -> etc/passwd', 'etc/link -> passwd', 'etc/passwd'],
  );
});

test('layerslayer fslog: what a folder is emptied of is deleted', async () => {
  await using here = await world();
  const layers = [layerOf([folder('a'), file('a/b')]), layerOf([opaque('a'), file('a/c')])];
  putImage(here.registry, 'user/app', 'v1', layers);
  const image = `${here.host}/user/app:v1`;
  await here.run('layerslayer', ['-t', image, '--peek-all']);
  const { out } = await here.run('layerslayer', ['fslog', image, 'a']);
  assert.match(out, /^.* a\/b +\[L0\] \(deleted\)\n.* a\/c +\[L1\]\n$/);
});

test('layerslayer finds what was peeked, by fslog --search and fslog-search', async () => {
  await using here = await peekedWorld();
  const image = `${here.host}/user/app:v1`;
  for (const start of [
    ['fslog', '--search', 'passw'],
    ['fslog-search', 'passw'],
  ]) {
    const { code, out } = await here.run('layerslayer', start);
    assert.equal(code, 0);
    assert.match(
      out,
      /^.* etc\/passwd +\[.*user\/app:v1 layer 0\]\n.* \[.*user\/app:v1 layer 1\]\n$/,
    );
    const one = await here.run('layerslayer', [...start, image, '1']);
    assert.equal(one.out.split('\n').length, 2);
  }
});

test('layerslayer fslog: nothing found is told, with 0', async () => {
  await using here = await peekedWorld();
  for (const line of [
    ['fslog', 'other/image'],
    ['fslog', `${here.host}/user/app:v1`, '/nothing'],
    ['fslog', `${here.host}/user/app:v1`, '7', '/', '--single-layer'],
    ['fslog-search', 'nothing'],
  ]) {
    const { code, out } = await here.run('layerslayer', line);
    assert.equal(code, 0);
    assert.match(out, /^(?:No |Layer 7 of .* was not peeked)/);
  }
});

test('layerslayer: a layer of two images belongs to both', async () => {
  await using here = await peekedWorld();
  put(here, 'user/other');
  const other = `${here.host}/user/other:v1`;
  await here.run('layerslayer', ['-t', other, '--peek-layer', '0']);
  const { out } = await here.run('layerslayer', ['fslog-search', 'etc/base']);
  assert.match(out, /user\/app:v1 layer 0\]\n.*user\/other:v1 layer 0\]\n$/);
});

test('layerslayer: what is kept may be deleted, or damaged, at any time', async () => {
  await using here = await peekedWorld();
  const kept = `${here.home}/.cache/layover/peeked.db`;
  await writeFile(kept, pattern(20_000));
  const image = `${here.host}/user/app:v1`;
  const { code, error } = await here.run('layerslayer', ['-t', image, '--peek-all']);
  assert.equal(code, 0, error);
  assert.match((await here.run('layerslayer', ['fslog', image])).out, / etc\//);
});

test('layerslayer: an interruption ends with 130 and keeps nothing', async () => {
  await using here = await world();
  const { layers } = put(here);
  const held = gate();
  const path = new RegExp(layers[0]?.digest ?? '');
  here.registry.misbehave({ path }, { kind: 'hold-body', at: 50, gate: held });
  const signals = new EventEmitter();
  const image = `${here.host}/user/app:v1`;
  const running = here.run('layerslayer', ['-t', image, '--peek-all'], { signals });
  await here.registry.seen({ path });
  signals.emit('SIGINT');
  const { code, error } = await running;
  held.open();
  assert.deepEqual([code, error], [130, 'layerslayer: interrupted\n']);
  assert.match((await here.run('layerslayer', ['fslog', image])).out, /^No peeked layers of /);
});

/** Answers prompts of a program on a terminal of its own, in turn. */
const PLAYER = `
import os, pty, sys
answers = [pair.split('=>') for pair in sys.argv[1].split('|')]
child, terminal = pty.fork()
if child == 0: os.execvp(sys.argv[2], sys.argv[2:])
seen = b''
while True:
    try: data = os.read(terminal, 4096)
    except OSError: break
    if not data: break
    seen += data
    os.write(1, data)
    if answers and answers[0][0].encode() in seen:
        os.write(terminal, answers.pop(0)[1].encode() + b'\\r')
        seen = b''
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) or len(answers))
`;

const NO_TERMINAL =
  spawnSync('python3', ['-c', 'import pty']).status === 0 ? false : 'there is no python3 with pty';

test('layerslayer walks through an image on a terminal', { skip: NO_TERMINAL }, async () => {
  await using here = await world();
  putIndex(here);
  const program = fileURLToPath(new URL('../../../bin/layerslayer', import.meta.url));
  const answers = [
    `buildkit:latest]: =>${here.host}/user/many:v1`,
    'Select a platform [0]: =>1',
    '[default: ALL]: =>0',
    '(y/N) =>y',
  ];
  await mkdir(here.at('cwd'));
  const env = { PATH: process.env['PATH'] ?? '', HOME: here.home, TERM: 'xterm' };
  const child = spawn('python3', ['-c', PLAYER, answers.join('|'), program, '-i'], {
    cwd: here.at('cwd'),
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(child, 'exit');
  const shown = await text(child.stdout);
  assert.deepEqual(await ended, [0, null], shown);
  assert.match(shown, / {2}amd64\r\n/);
  assert.match(shown, /Saved layer sha256:/);
});
