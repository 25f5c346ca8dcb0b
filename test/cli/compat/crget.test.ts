import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { EventEmitter } from 'node:events';
import { createReadStream } from 'node:fs';
import { mkdir, readdir, readFile, stat, symlink as linkTo, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { hostPlatform } from '../../../src/core/platform.ts';
import { pattern } from '../../fixtures/collect.ts';
import { file, folder, layerOf, symlink } from '../../fixtures/layer-builder.ts';
import { entryOf, putImage, world, type World } from './world.ts';

const HOST = hostPlatform();
const OTHER = {
  os: 'linux',
  architecture: HOST.architecture === 'arm64' ? 'amd64' : 'arm64',
};
const BINARY = layerOf([file('app', 'binary', { mode: 0o755 })]);
const TREE = layerOf([folder('etc'), file('etc/x', 'conf'), symlink('etc/y', 'x')]);

/** Lines without those that say what differs from run to run. */
function linesOf(error: string): readonly string[] {
  return error.trimEnd().split('\n');
}

async function got(here: World, ...line: readonly string[]) {
  const { code, out, error } = await here.run('crget', line);
  assert.equal(out, '');
  return { code, lines: linesOf(error) };
}

test('crget gets the only file, and says how on standard error', async () => {
  await using here = await world();
  const { layers } = putImage(here.registry, 'user/app', 'v1', [BINARY]);
  const target = here.at('bin/app');
  const { code, lines } = await got(here, `${here.host}/user/app:v1`, target);
  assert.deepEqual(lines, [
    `INFO: Fetching metadata for registry: ${here.host}`,
    `INFO: Target: ${here.host} -> user/app:v1`,
    `INFO: Output: ${target}`,
    'INFO: Authenticating...',
    'INFO: Fetching manifest...',
    `INFO: Downloading blob: ${layers[0]?.digest}`,
    `INFO: Success! Extracted to: ${target}`,
  ]);
  assert.equal(code, 0);
  assert.equal(await readFile(target, 'utf8'), 'binary');
});

test('crget: the file has its permissions', async () => {
  await using here = await world();
  putImage(here.registry, 'user/app', 'latest', [BINARY]);
  await got(here, `${here.host}/user/app`, here.at('app'));
  assert.equal((await stat(here.at('app'))).mode & 0o777, 0o755);
});

test('crget: where it goes: a file, a folder that is there, or the name of the repository', async () => {
  await using here = await world();
  putImage(here.registry, 'user/app', 'latest', [BINARY]);
  const image = `${here.host}/user/app`;
  await mkdir(here.at('folder'));
  assert.equal((await got(here, image, here.at('folder'))).code, 0);
  assert.equal(await readFile(here.at('folder/app'), 'utf8'), 'binary');
  const before = process.cwd();
  process.chdir(here.at('.'));
  try {
    const { lines } = await got(here, image);
    assert.ok(lines.includes('INFO: Output: ./app'));
    assert.equal(await readFile(here.at('app'), 'utf8'), 'binary');
  } finally {
    process.chdir(before);
  }
});

test('crget: a link leads to where it is written; what is no folder is told before anything comes', async () => {
  await using here = await world();
  putImage(here.registry, 'user/app', 'latest', [BINARY]);
  const image = `${here.host}/user/app`;
  await linkTo('real', here.at('link'));
  assert.equal((await got(here, image, here.at('link'))).code, 0);
  assert.equal(await readFile(here.at('real'), 'utf8'), 'binary');
  for (const [target, why] of [
    ['real/x', 'something on the way is no folder'],
    ['none/x/', 'there is no such folder'],
  ] as const) {
    const { code, lines } = await got(here, image, here.at(target));
    assert.equal(code, 1);
    const told = lines.at(-1) ?? '';
    assert.ok(told.includes(`cannot write ${here.at(target)}: ${why}`), told);
    assert.doesNotMatch(told, /partial|(E[A-Z]+): \1/);
  }
});

test('crget: what lies under a name of its own choice is not followed', async () => {
  await using here = await world();
  putImage(here.registry, 'user/app', 'latest', [BINARY]);
  const image = `${here.host}/user/app`;
  await mkdir(here.at('folder'));
  await writeFile(here.at('precious'), 'precious');
  await linkTo('../precious', here.at('folder/app'));
  const before = process.cwd();
  process.chdir(here.at('folder'));
  try {
    for (const line of [[image], [image, here.at('folder')]]) {
      const { code, lines } = await got(here, ...line);
      assert.equal(code, 1);
      assert.match(lines.at(-1) ?? '', /app: it is no ordinary file/);
    }
  } finally {
    process.chdir(before);
  }
  assert.equal(await readFile(here.at('precious'), 'utf8'), 'precious');
});

test('crget: an interruption ends what is on its way into a pipe', async () => {
  await using here = await world();
  const content = pattern(2_000_000);
  putImage(here.registry, 'user/app', 'latest', [layerOf([file('app', content)])]);
  const pipe = here.at('pipe');
  execFileSync('mkfifo', [pipe]);
  const signals = new EventEmitter();
  const running = here.run('crget', [`${here.host}/user/app`, pipe], { signals });
  let read = 0;
  for await (const chunk of createReadStream(pipe)) {
    if (read === 0) signals.emit('SIGINT');
    read += chunk.length;
  }
  assert.equal((await running).code, 130);
  assert.ok(read < content.length, String(read));
});

interface Refused {
  readonly says: string;
  readonly layers: readonly Uint8Array[];
  readonly flags?: readonly string[];
  readonly error: string;
}

const SEVERAL =
  'Multiple layers detected, use --ignore-multi-layer to ignore or --layer to download a specific layer';
const FILES = 'Multiple files detected in the last layer. Use --archive to extract to a directory.';

const REFUSED: readonly Refused[] = [
  { says: 'several layers', layers: [BINARY, TREE], error: SEVERAL },
  {
    says: 'several layers and --layer -1',
    layers: [BINARY, TREE],
    flags: ['--layer', '-1'],
    error: SEVERAL,
  },
  { says: 'no layers', layers: [], error: 'Could not find layers in manifest.' },
  { says: 'no files', layers: [layerOf([])], error: 'No files detected in the last layer.' },
  {
    says: 'no files for --archive',
    layers: [layerOf([])],
    flags: ['--archive'],
    error: 'No files detected in the last layer.',
  },
  { says: 'several files', layers: [layerOf([file('a'), file('b')])], error: FILES },
  { says: 'a folder and a file', layers: [layerOf([folder('a'), file('a/b')])], error: FILES },
  {
    says: 'a layer that is not there',
    layers: [BINARY],
    flags: ['--layer=7'],
    error: 'There is no layer 7: the image has 1',
  },
  {
    says: 'a link alone',
    layers: [layerOf([symlink('a', '/etc/passwd')])],
    error: 'a is no file: it is a symlink. Use --archive for folders.',
  },
];

for (const { says, layers, flags = [], error } of REFUSED) {
  test(`crget refuses: ${says}`, async () => {
    await using here = await world();
    putImage(here.registry, 'user/app', 'latest', layers);
    const target = here.at('target');
    const { code, lines } = await got(here, `${here.host}/user/app`, target, ...flags);
    assert.deepEqual([code, lines.at(-1)], [1, `ERROR: ${error}`]);
    assert.ok(!(await readdir(here.at('.'))).includes('target'));
  });
}

const PACKED = ['gzip', 'zstd', 'none'] as const;

for (const packing of PACKED) {
  test(`crget --archive writes what a layer holds: ${packing}`, async () => {
    await using here = await world();
    const tree = layerOf([folder('etc'), file('etc/x', 'conf'), symlink('etc/y', 'x')], packing);
    putImage(here.registry, 'user/app', 'latest', [BINARY, tree], {
      types: ['gzip', packing === 'none' ? 'tar' : packing],
    });
    const line = [`${here.host}/user/app`, here.at('root'), '--archive', '--ignore-multi-layer'];
    assert.equal((await got(here, ...line)).code, 0);
    assert.equal(await readFile(here.at('root/etc/y'), 'utf8'), 'conf');
  });
}

test('crget --archive writes into a folder that is there, never below its name', async () => {
  await using here = await world();
  putImage(here.registry, 'user/app', 'latest', [TREE]);
  await mkdir(here.at('root'));
  await got(here, `${here.host}/user/app`, here.at('root'), '--archive');
  assert.deepEqual(await readdir(here.at('root')), ['etc']);
});

test('crget --archive leaves out what leads elsewhere, and says so', async () => {
  await using here = await world();
  putImage(here.registry, 'user/app', 'latest', [
    layerOf([file('../evil', 'x'), file('good', 'y')]),
  ]);
  const { code, lines } = await got(here, `${here.host}/user/app`, here.at('root'), '--archive');
  assert.equal(code, 0);
  assert.ok(
    lines.some((line) => line.startsWith('WARNING: ../evil: not extracted, ')),
    lines.join(),
  );
  assert.deepEqual((await readdir(here.at('.'))).toSorted(), ['home', 'root']);
});

for (const [flag, content] of [
  ['--layer=0', 'zero'],
  ['--layer=1', 'one'],
  ['--layer=-2', 'one'],
  ['--layer=-3', 'zero'],
] as const) {
  test(`crget ${flag} counts from the base, or from the end`, async () => {
    await using here = await world();
    const layers = ['zero', 'one', 'two'].map((text) => layerOf([file('a', text)]));
    putImage(here.registry, 'user/app', 'latest', layers);
    assert.equal((await got(here, `${here.host}/user/app`, here.at('a'), flag)).code, 0);
    assert.equal(await readFile(here.at('a'), 'utf8'), content);
  });
}

test('crget takes the image for this machine out of a list', async () => {
  await using here = await world();
  const other = putImage(here.registry, 'user/app', undefined, [TREE], { platform: OTHER });
  const own = putImage(here.registry, 'user/app', undefined, [BINARY], { platform: HOST });
  const entries = [
    entryOf(other, { os: 'windows', architecture: HOST.architecture }),
    entryOf(other, OTHER),
    entryOf(own, HOST),
  ];
  here.registry.addIndex('user/app', 'latest', entries);
  const { code, lines } = await got(here, `${here.host}/user/app`, here.at('a'));
  assert.equal(code, 0, lines.join());
  assert.deepEqual(lines.slice(4, 7), [
    'INFO: Fetching manifest...',
    `INFO: Manifest list detected. Resolving for linux/${HOST.architecture}...`,
    `INFO: Downloading manifest: ${own.manifest.digest}`,
  ]);
});

test('crget --ignore-arch still takes the image for this machine where there is one', async () => {
  await using here = await world();
  const other = putImage(here.registry, 'user/app', undefined, [TREE], { platform: OTHER });
  const own = putImage(here.registry, 'user/app', undefined, [BINARY], { platform: HOST });
  here.registry.addIndex('user/app', 'latest', [entryOf(other, OTHER), entryOf(own, HOST)]);
  const { code, lines } = await got(here, `${here.host}/user/app`, here.at('a'), '--ignore-arch');
  assert.equal(code, 0, lines.join());
  assert.ok(lines.includes(`INFO: Downloading manifest: ${own.manifest.digest}`));
});

test('crget --ignore-arch takes the first image where none is for this machine', async () => {
  await using here = await world();
  const other = putImage(here.registry, 'user/app', undefined, [BINARY], { platform: OTHER });
  here.registry.addIndex('user/app', 'latest', [entryOf(other, OTHER)]);
  const image = `${here.host}/user/app`;
  const refused = await got(here, image, here.at('a'));
  assert.deepEqual(
    [refused.code, refused.lines.at(-1)],
    [
      1,
      `ERROR: No manifest found for architecture ${HOST.architecture}. Use --ignore-arch to force download.`,
    ],
  );
  const { code, lines } = await got(here, image, here.at('a'), '--ignore-arch');
  assert.equal(code, 0, lines.join());
  assert.ok(lines.includes('WARNING: Architecture mismatch, continuing anyway.'));
  assert.ok(!lines.some((line) => line.includes('Manifest list detected')));
});

interface Referred {
  readonly says: string;
  readonly asked: (host: string, digest: string) => string;
  readonly target: string;
}

const REFERENCES: readonly Referred[] = [
  { says: 'no tag', asked: (host) => `${host}/a/b`, target: 'a/b:latest' },
  { says: 'a tag', asked: (host) => `${host}/a/b:v1`, target: 'a/b:v1' },
  { says: 'a digest', asked: (host, digest) => `${host}/a/b@${digest}`, target: 'a/b:DIGEST' },
];

for (const { says, asked, target } of REFERENCES) {
  test(`crget reads references behind a port: ${says}`, async () => {
    await using here = await world();
    const { manifest } = putImage(here.registry, 'a/b', 'latest', [BINARY]);
    here.registry.tag('a/b', 'v1', manifest.digest);
    const { code, lines } = await got(here, asked(here.host, manifest.digest), here.at('a'));
    assert.equal(code, 0, lines.join());
    const shown = target.replace('DIGEST', manifest.digest);
    assert.equal(lines[1], `INFO: Target: ${here.host} -> ${shown}`);
  });
}

test('crget: a word alone is no image, and nothing is asked', async () => {
  await using here = await world();
  const { code, lines } = await got(here, 'alpine:3');
  assert.deepEqual(
    [code, lines],
    [
      1,
      [
        'ERROR: Invalid format. Image must contain a registry domain (e.g. registry.com/owner/image)',
      ],
    ],
  );
});

test('crget: an unknown tag ends with 1', async () => {
  await using here = await world();
  const unknown = await got(here, `${here.host}/a/b:none`, here.at('a'));
  assert.equal(unknown.code, 1);
  assert.match(unknown.lines.at(-1) ?? '', /^ERROR: Failed to fetch manifest: /);
});

test('crget finds its login in the environment, in the file that it names, or in its configuration', async () => {
  await using here = await world({ auth: { kind: 'bearer', username: 'me', password: 'it' } });
  putImage(here.registry, 'a/b', 'latest', [BINARY]);
  const auth = Buffer.from('me:it').toString('base64');
  await writeFile(here.at('auth.json'), JSON.stringify({ auths: { [here.host]: { auth } } }));
  await writeFile(here.at('none.json'), '{"auths":{}}');
  await writeFile(
    here.at('crget.conf'),
    `[DEFAULT]\nregistry_auth_file = ${here.at('auth.json')}\n`,
  );
  const line = [`${here.host}/a/b`, here.at('a')];
  const run = (environment: Record<string, string>, ...more: readonly string[]) =>
    here.run('crget', [...line, ...more], { environment });
  const without = await run({});
  assert.equal(without.code, 1);
  assert.match(without.error, /ERROR: Authentication failed: /);
  assert.equal((await run({ REGISTRY_USERNAME: 'me', REGISTRY_PASSWORD: 'it' })).code, 0);
  const name = { REGISTRY_USERNAME: 'me' };
  assert.equal((await run(name)).code, 1);
  assert.equal((await run({ ...name, REGISTRY_AUTH_FILE: here.at('auth.json') })).code, 0);
  assert.equal((await run({ REGISTRY_AUTH_FILE: here.at('auth.json') })).code, 0);
  assert.equal((await run({}, '-c', here.at('crget.conf'))).code, 0);
  const other = await run({ REGISTRY_AUTH_FILE: here.at('none.json') });
  assert.ok(
    other.error.includes(
      `WARNING: No auth found for registry: ${here.host}, skipping registry auth file\n`,
    ),
  );
  const missing = await run({ REGISTRY_AUTH_FILE: here.at('missing.json') });
  assert.ok(missing.error.includes('WARNING: Registry auth file not found: '), missing.error);
});

test('crget: wrong bytes and an interruption leave no file', async () => {
  await using here = await world();
  const layer = layerOf([file('a', pattern(200_000))], 'none');
  const { layers } = putImage(here.registry, 'a/b', 'latest', [layer], { types: ['tar'] });
  const blob = { path: new RegExp(layers[0]?.digest ?? '') };
  const undo = here.registry.misbehave(blob, { kind: 'flip', at: 1000 });
  const line = [`${here.host}/a/b`, here.at('a')];
  const damaged = await got(here, ...line);
  assert.equal(damaged.code, 1);
  assert.match(damaged.lines.at(-1) ?? '', /^ERROR: Failed to download or extract blob: /);
  undo();
  const before = here.registry.count(blob);
  here.registry.misbehave(blob, { kind: 'slow', bytesPerSecond: 1000 });
  const signals = new EventEmitter();
  const running = here.run('crget', line, { signals });
  await here.registry.seen(blob, before + 1);
  signals.emit('SIGINT');
  assert.equal((await running).code, 130);
  assert.deepEqual(await readdir(path.join(here.at('.'))), ['home']);
});

test('crget: a line that makes no sense ends with 2, help with 0', async () => {
  await using here = await world();
  const { code, lines } = await got(here);
  assert.deepEqual(
    [code, lines.at(-1)],
    [2, 'crget: error: the following arguments are required: image_url'],
  );
  const help = await here.run('crget', ['--help']);
  assert.deepEqual([help.code, help.error], [0, '']);
  assert.match(help.out, /^usage: crget \[-h\]/);
});
