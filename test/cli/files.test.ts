import assert from 'node:assert/strict';
import { mkdir, readFile, readdir, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { permissions } from '../../src/cli/file-line.ts';
import { digestOf } from '../../src/core/digest.ts';
import {
  file,
  folder,
  hardlink,
  layerOf,
  opaque,
  symlink,
  whiteout,
  type Item,
} from '../fixtures/layer-builder.ts';
import { startRegistry } from '../fixtures/registry.ts';
import { temporaryFolder } from '../fixtures/temporary.ts';
import { here, printing, type Here } from './here.ts';

const BASE: readonly Item[] = [
  folder('etc'),
  file('etc/passwd', 'root\n', { mode: 0o600 }),
  file('etc/old', 'old\n'),
  folder('usr'),
  folder('usr/bin'),
  file('usr/bin/tool', '#!/bin/sh\n', { mode: 0o4755, uid: 7, gid: 8 }),
  symlink('bin', 'usr/bin'),
  file('data/gone', 'gone\n'),
];
const TOP: readonly Item[] = [
  file('etc/passwd', 'root\nuser\n'),
  whiteout('etc/old'),
  hardlink('etc/shadow', 'etc/passwd'),
  opaque('data'),
  file('data/\u001b[31mred\n', 'x'),
  symlink('etc/conf', '../bin/tool'),
];

/** A registry with an image of files, and somebody who looks into it. */
async function world() {
  const registry = await startRegistry();
  const home = await temporaryFolder();
  const work = path.join(home.path, 'work');
  await mkdir(work);
  const app = registry.addImage('team/app', '1', { layers: [layerOf(BASE), layerOf(TOP, 'zstd')] });
  const asked = (...line: readonly string[]): Promise<Here> =>
    here(line, { environment: { HOME: home.path } });
  return {
    registry,
    work,
    app,
    image: `${registry.host}/team/app:1`,
    /** The image's reference with these layers. */
    add: (tag: string, ...layers: readonly Uint8Array[]): string => {
      registry.addImage('team/app', tag, { layers });
      return `${registry.host}/team/app:${tag}`;
    },
    asked,
    prints: printing(asked),
    async [Symbol.asyncDispose]() {
      await home[Symbol.asyncDispose]();
      await registry[Symbol.asyncDispose]();
    },
  };
}

const linesOf = (text: string): readonly string[] => text.split('\n').slice(0, -1);

test('ls lists what a container sees, and nothing that steers a terminal', async () => {
  await using place = await world();
  const { image, prints, asked } = place;
  assert.deepEqual(linesOf(await prints('ls', image)).toSorted(), [
    '/bin',
    '/data/',
    '/data/\\x1b[31mred\\x0a',
    '/etc/',
    '/etc/conf',
    '/etc/passwd',
    '/etc/shadow',
    '/usr/',
    '/usr/bin/',
    '/usr/bin/tool',
  ]);
  const told = await asked('ls', image);
  assert.match(told.error, /^\d+ B of layers read, 0 B of blobs over the network\n$/);
  assert.equal((await asked('ls', '-q', image)).error, '');
});

test('ls of a path: what is in the folder, what is below, links followed', async () => {
  await using place = await world();
  const { image, prints, asked } = place;
  assert.deepEqual(linesOf(await prints('ls', image, '/')).toSorted(), [
    '/bin',
    '/data/',
    '/etc/',
    '/usr/',
  ]);
  assert.equal(await prints('ls', image, '/usr'), '/usr/bin/\n');
  assert.equal(await prints('ls', '-R', image, 'usr/'), '/usr/bin/\n/usr/bin/tool\n');
  assert.equal(await prints('ls', image, '/bin'), '/usr/bin/tool\n');
  assert.equal(await prints('ls', image, '/bin/tool'), '/usr/bin/tool\n');
  assert.equal(await prints('ls', image, '/etc/conf'), '/usr/bin/tool\n');
  assert.equal(await prints('ls', image, '/etc/passwd'), '/etc/passwd\n');
  for (const line of [
    ['/nowhere'],
    ['/etc/old'],
    ['--layer', '1', '/usr'],
    ['--json', '/etc/passwd/x'],
  ]) {
    const { code, out, error } = await asked('ls', image, ...line);
    assert.deepEqual([code, out], [1, ''], line.join(' '));
    assert.match(error, /^layover: no such file.*\n$/);
  }
});

test('the long form is that of ls -l', async () => {
  await using place = await world();
  const { image, prints } = place;
  assert.equal(
    await prints('ls', '-l', image, '/usr/bin'),
    '-rwsr-xr-x 7        8                10 2023-11-14 22:13  /usr/bin/tool\n',
  );
  const etc = linesOf(await prints('ls', '-l', image, '/etc'));
  assert.match(etc[0] ?? '', /^-rw-r--r-- 0 +0 +10 .* {2}\/etc\/passwd$/);
  assert.match(etc[1] ?? '', /^h.* {2}\/etc\/shadow link to \/etc\/passwd$/);
  assert.match(etc[2] ?? '', /^lrwxrwxrwx .* {2}\/etc\/conf -> \.\.\/bin\/tool$/);
});

test('layers as they are, and every version with its fate', async () => {
  await using place = await world();
  const { image, prints, asked } = place;
  assert.equal(await prints('ls', '--layer', '0', image, '/etc'), '/etc/passwd\n/etc/old\n');
  assert.equal(
    await prints('ls', '--layer', '-1', image, 'etc'),
    await prints('ls', '--layer', '1', image, 'etc'),
  );
  assert.deepEqual(linesOf(await prints('ls', '--layer', '1', image)), [
    '/etc/passwd',
    '/etc/old  (deletes it)',
    '/etc/shadow',
    '/data/  (empties it)',
    '/data/\\x1b[31mred\\x0a',
    '/etc/conf',
  ]);
  assert.match(
    await prints('ls', '-l', '--layer', '1', image, '/etc/old'),
    /^w.* {2}\/etc\/old {2}\(deletes it\)\n$/,
  );
  assert.equal(
    await prints('ls', '--layers', image, '/etc/passwd'),
    '/etc/passwd  (layer 0)\n/etc/passwd  (layer 1)\n',
  );
  assert.deepEqual(linesOf(await prints('ls', '--all-versions', '-R', image, '/etc')), [
    '/etc/passwd  (layer 1)',
    '/etc/old  (layer 1 deletes it)',
    '/etc/shadow  (layer 1)',
    '/etc/conf  (layer 1)',
    '/etc/passwd  (layer 0, overwritten by layer 1)',
    '/etc/old  (layer 0, deleted by layer 1)',
  ]);
  const { code, error } = await asked('ls', '--layers', '--all-versions', image);
  assert.deepEqual([code, error], [2, 'layover: one of --layer, --layers and --all-versions\n']);
  assert.equal((await asked('ls', '--layer', '2', image)).code, 2);
});

test('--json is an array, with names that are not UTF-8 kept; empty is one, too', async () => {
  await using place = await world();
  const { image, prints } = place;
  const entries = JSON.parse(await prints('ls', '--json', '-l', image));
  assert.equal(entries.length, 10);
  const tool = entries.find((entry: { path: string }) => entry.path === 'usr/bin/tool');
  assert.deepEqual([tool.type, tool.mode, tool.uid, tool.layer.index], ['file', 0o4755, 7, 0]);
  assert.equal(await prints('find', '--json', image, 'nothing'), '[]\n');
});

test('permissions are written as ls writes them', () => {
  for (const [mode, text] of [
    [0o755, 'rwxr-xr-x'],
    [0o640, 'rw-r-----'],
    [0o4755, 'rwsr-xr-x'],
    [0o4644, 'rwSr--r--'],
    [0o2711, 'rwx--s--x'],
    [0o2700, 'rwx--S---'],
    [0o1777, 'rwxrwxrwt'],
    [0o1776, 'rwxrwxrwT'],
    [0, '---------'],
  ] as const) {
    assert.equal(permissions(mode), text);
  }
});

test('what was a link is one of the versions; a path that a layer has twice is told twice', async () => {
  await using place = await world();
  const { add, prints, asked } = place;
  const image = add(
    'odd',
    layerOf([symlink('was', 'etc'), file('twice', 'one'), file('twice', 'two')]),
    layerOf([file('was', 'now')]),
  );
  assert.deepEqual(linesOf(await prints('ls', '--all-versions', image, '/was')), [
    '/was  (layer 1)',
    '/was  (layer 0, overwritten by layer 1)',
  ]);
  const { code, out, error } = await asked('cat', '--all-versions', image, 'twice');
  assert.deepEqual([code, out], [0, 'one']);
  assert.match(error, /\(layer 0\)\n.*\(layer 0, again\)\n/);
});

test('a layer whose bytes are wrong is named, cached or not, and ends with 1', async () => {
  await using place = await world();
  const { registry, add, asked } = place;
  const layer = layerOf([file('a', 'AAAA'), file('b', 'B')], 'none');
  const image = add('wrong', layerOf(BASE), layer);
  registry.misbehave(
    { method: 'GET', path: new RegExp(`blobs/${digestOf(layer)}`) },
    { kind: 'flip', at: 512 },
  );
  for (const cached of [[], ['--no-cache']]) {
    for (const line of [
      ['ls'],
      ['ls', '--layer', '1'],
      ['find', '*'],
      ['cat', 'a'],
      ['layer', '1'],
    ]) {
      const [verb = '', ...words] = line;
      const { code, error } = await asked(verb, ...cached, image, ...words);
      const what = [...line, ...cached].join(' ');
      assert.equal(code, 1, what);
      assert.match(
        error,
        /^layover: layer 1 \(sha256:\w{64}\) is damaged: what came is [^,]+(, .*)?\n$/,
        what,
      );
    }
  }
});

test('find by name, by path, among what is gone', async () => {
  await using place = await world();
  const { image, prints, asked } = place;
  assert.equal(await prints('find', image, 'to*'), '/usr/bin/tool\n');
  assert.equal(await prints('find', image, '/usr/**/tool'), '/usr/bin/tool\n');
  assert.match(await prints('find', '-l', image, 'tool'), /^-rwsr-xr-x .* {2}\/usr\/bin\/tool\n$/);
  const none = await asked('find', image, 'old');
  assert.deepEqual([none.code, none.out], [0, '']);
  assert.match(none.error, /^0 found; /);
  assert.deepEqual(linesOf(await prints('find', '--all-versions', image, 'old')), [
    '/etc/old  (layer 1 deletes it)',
    '/etc/old  (layer 0, deleted by layer 1)',
  ]);
  const { code, error } = await asked('find', image, '[a');
  assert.equal(code, 2, error);
});

test('cat prints what a container would read, one layer’s version, or all of them', async () => {
  await using place = await world();
  const { image, prints, asked } = place;
  assert.equal(await prints('cat', image, '/etc/passwd'), 'root\nuser\n');
  assert.equal(await prints('cat', image, '/etc/conf'), '#!/bin/sh\n');
  assert.equal(await prints('cat', image, 'etc/shadow'), 'root\nuser\n');
  assert.equal(await prints('cat', '--layer', '0', image, 'etc/old'), 'old\n');
  const all = await asked('cat', '--all-versions', image, 'etc/passwd');
  assert.equal(all.out, 'root\nuser\nroot\n');
  assert.match(all.error, /\/etc\/passwd {2}\(layer 1\)\n.*\(layer 0, overwritten by layer 1\)\n/);
  for (const [line, says] of [
    [['/etc/old'], /no such file/],
    [['/etc'], /is no file but a directory/],
    [['--all-versions', '/none'], /no layer has a file \/none\n/],
  ] as const) {
    const { code, out, error } = await asked('cat', image, ...line);
    assert.deepEqual([code, out], [1, '']);
    assert.match(error, says);
    assert.equal(linesOf(error).length, 1, error);
  }
});

test('a name that is no text is had as it is printed; a file that is called so comes first', async () => {
  await using place = await world();
  const { add, prints, asked, work } = place;
  const name = (folder: string, last: readonly number[]) =>
    Buffer.from([...Buffer.from(folder), ...last]);
  const [cafe, dir] = [name('caf', [0xe9]), name('d', [0xff, 0x2f])];
  const image = add(
    'bytes',
    layerOf([
      { name: cafe, data: 'old' },
      { name: dir, flag: '5', mode: 0o755 },
      { name: Buffer.concat([dir, Buffer.from('in')]), data: 'in' },
      file('line\nbreak', 'two'),
    ]),
    layerOf([{ name: cafe, data: 'new' }]),
  );
  const both = add('both', layerOf([{ name: cafe, data: 'bytes' }, file('caf\\xe9', 'text')]));
  assert.equal(await prints('find', image, 'caf*'), '/caf\\xe9\n');
  assert.equal(await prints('cat', image, '/caf\\xe9'), 'new');
  assert.equal(await prints('cat', image, '/line\\x0abreak'), 'two');
  assert.equal(await prints('cat', image, '/d\\xff/in'), 'in');
  assert.equal(await prints('cat', '--layer', '0', image, '/caf\\xe9'), 'old');
  assert.equal((await asked('cat', '--all-versions', image, '/caf\\xe9')).out, 'newold');
  assert.equal(await prints('ls', image, '/d\\xff'), '/d\\xff/in\n');
  assert.equal(await prints('cat', both, '/caf\\xe9'), 'text');
  assert.equal((await asked('cat', '--all-versions', both, '/caf\\xe9')).out, 'bytestext');
  await prints('get', '-o', path.join(work, 'file'), image, '/caf\\xe9');
  assert.equal(await readFile(path.join(work, 'file'), 'utf8'), 'new');
  await prints('get', '-o', path.join(work, 'folder'), image, '/d\\xff');
  assert.equal(await readFile(path.join(work, 'folder', 'in'), 'utf8'), 'in');
  await prints('get', '--layer', '0', '-o', path.join(work, 'of-layer'), image, '/d\\xff');
  assert.equal(await readFile(path.join(work, 'of-layer', 'in'), 'utf8'), 'in');
  await prints('get', '--all-versions', '-o', path.join(work, 'all'), image, '/caf\\xe9');
  assert.deepEqual((await readdir(path.join(work, 'all'))).toSorted(), ['0', '1']);
  const none = await asked('cat', image, '/none\\xe9');
  assert.deepEqual([none.code, none.out], [1, '']);
  assert.match(none.error, /no such file in the image: \/none\\xe9: no layer has it\n$/);
});

test('cat fetches little, and says how much', async () => {
  await using place = await world();
  const { registry, add, asked } = place;
  const noise = Buffer.from(Array.from({ length: 3_000_000 }, (_, at) => (at * at * 31) >> 7));
  const image = add(
    'large',
    layerOf(BASE),
    layerOf([file('first', 'here'), file('noise', noise)], 'none'),
  );
  const { code, out, error } = await asked('cat', '--no-cache', image, 'first');
  assert.deepEqual([code, out], [0, 'here']);
  const read = /^([\d.]+) KiB of layers read, ([\d.]+) KiB of blobs over the network\n$/.exec(
    error,
  );
  assert.ok(read !== null && Number(read[1]) <= 256, error);
  assert.ok(registry.requests.length > 0);
});

test('get saves a file, a folder, a layer, as it says', async () => {
  await using place = await world();
  const { image, work, prints, asked, app } = place;
  const at = (...names: readonly string[]) => path.join(work, ...names);
  const saved = await asked('get', '-o', at('passwd'), image, '/etc/passwd');
  assert.equal(saved.code, 0, saved.error);
  assert.match(saved.error, /passwd: 1 file, 10 B; .* of layers read/);
  assert.equal(await readFile(at('passwd'), 'utf8'), 'root\nuser\n');
  const tool = await asked('get', '-q', '-o', work, image, '/bin/tool');
  assert.deepEqual([tool.code, tool.out, tool.error], [0, '', '']);
  const { mode, mtimeMs } = await stat(at('tool'));
  assert.deepEqual([mode & 0o7777, mtimeMs], [0o755, 1_700_000_000_000]);
  await prints('get', '--special-bits', '-o', at('special'), image, '/bin/tool');
  assert.equal((await stat(at('special'))).mode & 0o7777, 0o4755);
  await prints('get', '-o', at('etc'), image, '/etc');
  assert.deepEqual((await readdir(at('etc'))).toSorted(), ['conf', 'passwd', 'shadow']);
  await prints('get', '-o', at('base'), '--layer', '0', image);
  assert.deepEqual((await readdir(at('base', 'etc'))).toSorted(), ['old', 'passwd']);
  await prints('get', '-o', at('raw'), '--layer', '-1', '--raw', image);
  assert.equal(digestOf(await readFile(at('raw'))), app.layers[1]?.digest);
});

test('what cannot be written is told by its name alone', async () => {
  await using place = await world();
  const { image, asked } = place;
  for (const line of [
    ['get', '-o', '/proc/x', image, '/etc/passwd'],
    ['get', '-o', '/proc/x', image, '/etc'],
    ['get', '-o', '/proc/x', '--layer', '0', image],
    ['layer', '-o', '/proc/x', image, '0'],
  ]) {
    const { code, error } = await asked(...line);
    assert.equal(code, 1);
    const last = linesOf(error).at(-1) ?? '';
    assert.match(last, /^layover: cannot write \/proc\/x: /, line.join(' '));
    assert.doesNotMatch(last, /partial/, line.join(' '));
  }
});

test('get wants to know what and where', async () => {
  await using place = await world();
  const { image, asked } = place;
  for (const line of [[], ['/'], ['..'], ['--raw', '/etc'], ['--raw', '--layer', '0', '/etc']]) {
    const { code, out, error } = await asked('get', image, ...line);
    assert.deepEqual([code, out], [2, ''], line.join(' '));
    assert.equal(linesOf(error).length, 1, error);
  }
});

test('nothing leaves the target, whatever names say', async () => {
  await using place = await world();
  const { work, add, asked } = place;
  const image = add(
    'evil',
    layerOf([
      file('../../evil', 'x'),
      file('/absolute', 'y'),
      symlink('out', work),
      file('out/through', 'z'),
      { name: 'device', flag: '3' },
      file('fine', 'f'),
    ]),
  );
  const target = path.join(work, 'target');
  const { code, error } = await asked('get', '-o', target, '--layer', '0', image);
  assert.equal(code, 0, error);
  assert.match(error, /left out \.\.\/\.\.\/evil: its name leads out/);
  assert.match(error, /left out device: /);
  assert.deepEqual(await readdir(work), ['target']);
  assert.equal(await readFile(path.join(target, 'fine'), 'utf8'), 'f');
  assert.equal(await readFile(path.join(target, 'absolute'), 'utf8'), 'y');
});

test('what is damaged, cut or not there is one line, and leaves nothing', async () => {
  await using place = await world();
  const { registry, work, image, add, asked, app } = place;
  const whole = layerOf(BASE);
  const short = add('short', whole.subarray(0, 150));
  const rubbish = add('rubbish', Buffer.from('no archive at all, and no gzip either'));
  registry.misbehave(
    { path: new RegExp(`blobs/${app.layers[1]?.digest}`) },
    { kind: 'flip', at: 40 },
  );
  const target = path.join(work, 'target');
  for (const line of [
    ['ls', short],
    ['ls', rubbish],
    ['cat', rubbish, '/etc/passwd'],
    ['find', rubbish, '*'],
    ['diff', rubbish, image],
    ['get', '-o', target, short, '/etc'],
    ['get', '-o', target, '--layer', '0', short],
    ['get', '--no-cache', '-o', target, '--layer', '1', '--raw', image],
    ['get', '-o', target, `${image}-not`, '/etc'],
    ['ls', `docker-archive:${work}/none.tar`],
  ]) {
    const { code, error } = await asked(...line);
    assert.equal(code, 1, `${line.join(' ')}: ${error}`);
    assert.equal(linesOf(error).length, 1, error);
    assert.match(error, /^layover: /);
  }
  assert.deepEqual(await readdir(work), []);
});

test('diff tells config, layers and files; its exit code only when asked', async () => {
  await using place = await world();
  const { registry, image, prints, asked } = place;
  registry.addImage('team/app', '2', {
    layers: [
      layerOf(BASE),
      layerOf([file('etc/passwd', 'root\nuser\n', { mode: 0o640 }), file('etc/new', 'n')]),
    ],
    config: { config: { Env: ['A=\u001b[31m'] } },
  });
  const other = image.replace(/1$/, '2');
  const text = await prints('diff', image, other);
  const lines = linesOf(text);
  assert.ok(lines.includes('layers:') && lines.includes('  = 1 at the bottom is the same'), text);
  assert.ok(lines.includes('  + /etc/new (1 B)'), text);
  assert.ok(lines.includes('  + /etc/old (4 B)'), text);
  assert.ok(lines.includes('  - /etc/conf (symlink to ../bin/tool)'), text);
  assert.ok(lines.includes('  ~ /etc/passwd (mode rw-r--r-- -> rw-r-----)'), text);
  assert.match(text, /config:\n(.*\n)* {2}. config.*\\u001b\[31m/);
  const found = JSON.parse(await prints('diff', '--json', image, other));
  assert.deepEqual(Object.keys(found), ['config', 'layers', 'files']);
  const differ = await asked('diff', '--exit-code', '-q', image, other);
  assert.deepEqual([differ.code, differ.error], [1, 'layover: the images differ\n']);
  const config = { rootfs: { type: 'layers', diff_ids: [] } };
  for (const [tag, layer] of [
    ['3', BASE],
    ['4', TOP],
  ] as const) {
    registry.addImage('team/app', tag, { layers: [layerOf(layer)], config });
  }
  const line = [image.replace(/1$/, '3'), image.replace(/1$/, '4')];
  assert.doesNotMatch(await prints('diff', ...line), /config:/);
  assert.equal((await asked('diff', '--exit-code', ...line)).code, 1);
  const same = await asked('diff', '--exit-code', image, image);
  assert.deepEqual([same.code, same.out], [0, '']);
});

test('archives, folders and a platform that is not there', async () => {
  await using place = await world();
  const { image, work, prints, asked } = place;
  for (const [format, kind] of [
    ['docker', 'docker-archive'],
    ['oci', 'oci'],
    ['oci-archive', 'oci-archive'],
  ] as const) {
    const target = path.join(work, format);
    await prints('pull', '--format', format, '-o', target, image);
    assert.equal(await prints('cat', `${kind}:${target}`, '/etc/passwd'), 'root\nuser\n');
    assert.equal(await prints('ls', `${kind}:${target}`), await prints('ls', image));
    assert.equal(await prints('diff', image, `${kind}:${target}`), '');
  }
  const archive = path.join(work, 'docker');
  await writeFile(archive, (await readFile(archive)).subarray(0, 3_000));
  const cut = await asked('ls', `docker-archive:${archive}`);
  assert.deepEqual([cut.code, cut.out, linesOf(cut.error).length], [1, '', 1]);
  const wrong = await asked('ls', '--platform', 'linux/s390x', image);
  assert.deepEqual([wrong.code, wrong.out], [1, '']);
  assert.match(wrong.error, /has no image for linux\/s390x; there is /);
});

test('extended attributes are listed and compared; those that get cannot set are told, once', async () => {
  await using place = await world();
  const { work, add, asked, prints } = place;
  const capability = Buffer.from([1, 0, 0, 2, 0, 0x20, 0, 0]);
  const pax = (...names: readonly string[]) => ({
    pax: Object.fromEntries(names.map((name) => [`SCHILY.xattr.${name}`, capability])),
  });
  const base = [
    folder('bin', pax('user.note')),
    file('bin/ping', 'p', pax('security.capability', 'user.note')),
    file('bin/plain', 'q'),
  ];
  const image = add('xattrs', layerOf(base));
  const lines = await prints('ls', '-l', image, '/bin');
  assert.match(lines, /  \/bin\/ping  \[security\.capability user\.note\]\n.*  \/bin\/plain\n$/);
  const [listed] = JSON.parse(await prints('ls', '--json', image, '/bin/ping'));
  assert.deepEqual(listed.xattrs, {
    'security.capability': capability.toString('base64'),
    'user.note': capability.toString('base64'),
  });

  const told = async (...line: readonly string[]): Promise<readonly string[]> => {
    const { code, error } = await asked('get', '-q', ...line);
    assert.equal(code, 0, error);
    return error.trimEnd().split('\n');
  };
  const one =
    'layover: extended attributes of 1 file were left out: security.capability, user.note';
  const two = one.replace('1 file', '2 files');
  assert.deepEqual(await told('-o', path.join(work, 'ping'), image, '/bin/ping'), [one]);
  assert.deepEqual(await told('-o', path.join(work, 'tree'), image, '/'), [two]);
  assert.deepEqual(await told('-o', path.join(work, 'base'), '--layer', '0', image), [two]);
  assert.deepEqual(await told('-o', path.join(work, 'plain'), image, '/bin/plain'), ['']);

  const stripped = add(
    'stripped',
    layerOf([...base.slice(0, 1), file('bin/ping', 'p'), ...base.slice(2)]),
  );
  const { out } = await asked('diff', image, stripped);
  assert.match(out, /^ *~ \/bin\/ping \(extended attributes\)$/m);
});

test('a path that a layer has twice: the last one is saved, and the others are told', async () => {
  await using folder = await temporaryFolder();
  await using registry = await startRegistry();
  const items = [file('x', 'one'), file('y', 'file'), file('y/z', 'below'), file('x', 'two')];
  registry.addImage('team/app', '1', { layers: [layerOf(items)] });
  const image = `${registry.host}/team/app:1`;
  const asked = (...line: readonly string[]) => here(line, { environment: { HOME: folder.path } });
  for (const line of [
    ['ls', image],
    ['find', image, '*'],
  ]) {
    const { code, out, error } = await asked(...line);
    assert.equal(code, 0, error);
    assert.equal(out.split('\n').filter((one) => one === '/x').length, 2);
    assert.match(error, /^1 line is of a path that its layer has twice: the later one counts$/m);
  }
  const below = await asked('cat', image, '/y/z');
  assert.deepEqual([below.code, below.out], [1, '']);
  assert.match(below.error, /layer 0 has \/y, which is no folder/);
  for (const [at, line] of [
    ['all', [image, '/']],
    ['layer', ['--layer', '0', image]],
  ] as const) {
    const target = path.join(folder.path, at);
    const { code, error } = await asked('get', '-o', target, ...line);
    assert.equal(code, 0, error);
    assert.equal(await readFile(path.join(target, 'x'), 'utf8'), 'two');
    assert.equal(await readFile(path.join(target, 'y'), 'utf8'), 'file');
    assert.match(error, /left out y\/z: its way leads through a file, y/);
  }
});

test('a name that is too long for the disk is told in one line, and once', async () => {
  await using folder = await temporaryFolder();
  await using registry = await startRegistry();
  const long = 'n'.repeat(300);
  const items = [file(`etc/${long}`, 'x', { pax: { path: `etc/${long}` } }), file('x', 'y')];
  registry.addImage('team/app', '1', { layers: [layerOf(items)] });
  const image = `${registry.host}/team/app:1`;
  const target = path.join(folder.path, long);
  const before = await readdir(folder.path);
  for (const line of [
    ['get', '-o', target, image, `/etc/${long}`],
    ['get', '-o', folder.path, image, `/etc/${long}`],
    ['get', '-o', target, image, '/x'],
    ['get', '-o', target, image, '/'],
    ['layer', '-o', target, image, '0'],
    ['pull', '-o', target, image],
    ['pull', '--format', 'oci', '-o', target, image],
  ]) {
    const { code, out, error } = await here([...line, '--no-cache', '-q'], {
      environment: { HOME: folder.path },
    });
    assert.deepEqual([code, out], [1, ''], line.join(' '));
    assert.match(
      error,
      /^layover: cannot write [^\n]*: a name is too long for the file system.*\n$/,
    );
    assert.equal(error.split(long).length, 2, error);
  }
  assert.deepEqual(await readdir(folder.path), before);
});

test('cat of a path that a layer has twice is the first, from the network and from the cache', async () => {
  await using folder = await temporaryFolder();
  await using registry = await startRegistry();
  const items = [file('x', 'one'), file('y', 'between'), file('x', 'two')];
  registry.addImage('team/app', '1', { layers: [layerOf(items)] });
  const image = `${registry.host}/team/app:1`;
  const asked = (...line: readonly string[]) => here(line, { environment: { HOME: folder.path } });
  for (const _ of ['network', 'cache']) {
    const { code, out, error } = await asked('cat', image, '/x');
    assert.deepEqual([code, out], [0, 'one'], error);
    const pulled = await asked('pull', '-o', path.join(folder.path, 'app.tar'), image);
    assert.equal(pulled.code, 0, pulled.error);
  }
  const archive = await asked('cat', `docker-archive:${path.join(folder.path, 'app.tar')}`, '/x');
  assert.deepEqual([archive.code, archive.out], [0, 'one'], archive.error);
  const { out } = await asked('cat', '--help');
  assert.match(
    out.replaceAll(/\s+/g, ' '),
    /has the path twice, that is the first one; a container would see the last one/,
  );
});
