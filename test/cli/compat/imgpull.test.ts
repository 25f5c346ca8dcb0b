import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { parseLine } from '../../../src/cli/compat/imgpull/arguments.ts';
import { goDuration } from '../../../src/cli/compat/imgpull/texts.ts';
import { hexOf } from '../../../src/core/digest.ts';
import { hostPlatform } from '../../../src/core/platform.ts';
import { certificateAuthority } from '../../fixtures/certificate.ts';
import { pattern } from '../../fixtures/collect.ts';
import { file, layerOf } from '../../fixtures/layer-builder.ts';
import { entryOf, membersOf, putImage, world } from './world.ts';

const HOST = hostPlatform();
const LAYERS = [layerOf([file('a', 'one')]), layerOf([file('b', 'two')])];
const MISSING = 'command line is missing one or both of image reference and/or tarball to save to';

interface Line {
  readonly says: string;
  readonly line: readonly string[];
  /** What is read, defaults left out; a text is a fault. */
  readonly read: Readonly<Record<string, string>> | string;
}

const LINES: readonly Line[] = [
  { says: 'two places', line: ['i', 't'], read: { image: 'i', dest: 't' } },
  {
    says: '--foo bar',
    line: ['i', 't', '--ns', 'quay.io'],
    read: { image: 'i', dest: 't', namespace: 'quay.io' },
  },
  {
    says: '--foo=bar',
    line: ['--ns=quay.io', 'i', 't'],
    read: { image: 'i', dest: 't', namespace: 'quay.io' },
  },
  {
    says: '-f bar',
    line: ['-u', 'me', 'i', '-p', 'it', 't'],
    read: { image: 'i', dest: 't', user: 'me', password: 'it' },
  },
  { says: '-fbar', line: ['-shttp', 'i', 't'], read: { image: 'i', dest: 't', scheme: 'http' } },
  { says: '-f=bar', line: ['-s=http', 'i', 't'], read: { image: 'i', dest: 't', scheme: 'http' } },
  {
    says: '--ca is --cacert',
    line: ['i', 't', '--ca', 'f.pem'],
    read: { image: 'i', dest: 't', cacert: 'f.pem' },
  },
  {
    says: 'switches take no word',
    line: ['-i', 'i', 't'],
    read: { image: 'i', dest: 't', insecure: 'true' },
  },
  {
    says: 'an unknown dash is a place',
    line: ['-foo', 't'],
    read: { image: '-foo', dest: 't' },
  },
  {
    says: 'short flags are not put together',
    line: ['i', 't', '-ix'],
    read: { image: 'i', dest: 't', insecure: 'x' },
  },
  {
    says: 'an option without a value is a place',
    line: ['i', '--ns'],
    read: { image: 'i', dest: '--ns' },
  },
  { says: 'a third place', line: ['i', 't', 'x'], read: 'unable to parse command line option: x' },
  {
    says: 'an option twice',
    line: ['i', 't', '-n', 'a', '--ns=b'],
    read: 'option was specified more than once: namespace',
  },
  { says: 'nothing', line: [], read: MISSING },
  { says: 'no file', line: ['i'], read: MISSING },
  {
    says: 'a manifest needs no file',
    line: ['i', '-m', 'LIST'],
    read: { image: 'i', manifest: 'list' },
  },
  {
    says: 'a manifest of another kind',
    line: ['i', '-m', 'all'],
    read: 'invalid value "all" for --manifest arg',
  },
  {
    says: 'a manifest of nothing',
    line: ['-m', 'image'],
    read: 'command line is missing image reference',
  },
  { says: 'a tar to list needs nothing else', line: ['-l', 't'], read: { 'list-tar': 't' } },
];

for (const { says, line, read } of LINES) {
  test(`imgpull reads its line: ${says}`, () => {
    const asked = parseLine(line);
    if (typeof read === 'string') {
      assert.deepEqual(asked, { kind: 'fault', message: read });
      return;
    }
    assert.equal(asked.kind, 'run');
    const values = Object.fromEntries('values' in asked ? asked.values : []);
    const defaults =
      'image' in read ? { os: HOST.os, arch: HOST.architecture } : ({} as Record<string, string>);
    assert.deepEqual(values, { ...defaults, ...read });
  });
}

test('imgpull: a line that makes no sense ends with the usage, on standard output, with 0', async () => {
  await using here = await world();
  const { code, out, error } = await here.run('imgpull', ['only']);
  assert.deepEqual([code, error], [0, '']);
  assert.ok(out.startsWith(`${MISSING}\n\nUsage:\n\nimgpull <image ref> <tar file> [-o|--os os]`));
});

test('imgpull --help, --version and --parsed print and end with 0', async () => {
  await using here = await world();
  const help = await here.run('imgpull', ['i', '-h', '--nonsense', 'x', 'y']);
  assert.deepEqual([help.code, help.out.startsWith('\nUsage:\n')], [0, true]);
  const version = await here.run('imgpull', ['--version']);
  assert.match(version.out, /^imgpull version: 1\.2\.3 build date: \d{4}-\d\d-\d\dT[\d:.]+Z\n$/);
  assert.equal(version.code, 0);
  const parsed = await here.run('imgpull', ['r/i', 't', '-ofoo', '--ns=q', '--parsed']);
  assert.equal(parsed.code, 0);
  const lines = parsed.out.split('\n');
  assert.ok(
    lines.includes('image: {Name:image Short: Long: Value:r/i Dflt: IsSwitch:false Func:<nil>}'),
  );
  assert.ok(
    lines.includes(
      `os: {Name:os Short:o Long:os Value:foo Dflt:${HOST.os} IsSwitch:false Func:<nil>}`,
    ),
  );
  assert.ok(
    lines.includes(
      'namespace: {Name:namespace Short:n Long:ns Value:q Dflt: IsSwitch:false Func:<nil>}',
    ),
  );
  assert.ok(
    lines.includes(
      'scheme: {Name:scheme Short:s Long:scheme Value: Dflt:https IsSwitch:false Func:<nil>}',
    ),
  );
});

for (const [milliseconds, text] of [
  [0.0421, '42.1µs'],
  [12.345678, '12.345678ms'],
  [1500, '1.5s'],
  [61_250, '1m1.25s'],
  [3_600_000, '1h0m0s'],
] as const) {
  test(`a duration as Go prints it: ${text}`, () => {
    assert.equal(goDuration(milliseconds), text);
  });
}

test('imgpull writes its archive: flat, keys in lower case, bytes as served', async () => {
  await using here = await world();
  const layers = [...LAYERS, layerOf([file('c')], 'zstd'), layerOf([file('d')], 'none')];
  const put = putImage(here.registry, 'team/app', 'v1', layers, {
    types: ['gzip', 'gzip', 'zstd', 'tar'],
    platform: HOST,
  });
  const target = here.at('x.tar');
  const { code, out, error } = await here.run('imgpull', [`${here.host}/team/app:v1`, target]);
  assert.deepEqual([code, error], [0, ''], out);
  assert.match(
    out,
    /^image "127\.0\.0\.1:\d+\/team\/app:v1" saved to "[^"]*x\.tar" in [\d.µmhs]+\n$/,
  );
  const members = await membersOf(target);
  const hexes = put.layers.map(({ digest }) => hexOf(digest));
  const names = [
    `${hexes[0]}.tar.gz`,
    `${hexes[1]}.tar.gz`,
    `${hexes[2]}.tar.zstd`,
    `${hexes[3]}.tar`,
  ];
  assert.deepEqual(
    members.map(({ name }) => name).toSorted(),
    ['manifest.json', put.config.digest, ...names].toSorted(),
  );
  for (const [index, name] of names.entries()) {
    assert.deepEqual(members.find((one) => one.name === name)?.bytes, layers[index]);
  }
  const list = members.find(({ name }) => name === 'manifest.json')?.bytes.toString() ?? '';
  const image = {
    config: put.config.digest,
    repoTags: [`${here.host}/team/app:v1`],
    layers: names,
  };
  assert.equal(list, JSON.stringify([image], undefined, 3));
});

test('imgpull --ns goes with every request, and names what is saved', async () => {
  await using here = await world();
  putImage(here.registry, 'curl/curl', '8.10.1', LAYERS, { platform: HOST });
  const target = here.at('x.tar');
  const line = [`${here.host}/curl/curl:8.10.1`, target, '--ns', 'quay.io'];
  const { code, out } = await here.run('imgpull', line);
  assert.equal(code, 0, out);
  const content = here.registry.matching({ path: /\/(?:manifests|blobs)\// });
  assert.ok(content.length >= 4);
  assert.deepEqual(
    content.filter(({ path }) => !path.endsWith('?ns=quay.io')),
    [],
  );
  assert.deepEqual(await tagsOf(target), ['quay.io/curl/curl:8.10.1']);
});

async function tagsOf(tar: string): Promise<unknown> {
  const members = await membersOf(tar);
  const bytes = members.find(({ name }) => name === 'manifest.json')?.bytes ?? Buffer.from('[]');
  return JSON.parse(bytes.toString())[0].repoTags;
}

interface Named {
  readonly says: string;
  readonly repository: string;
  /** Behind the registry. */
  readonly asked: string;
  readonly ns?: string;
  /** In front of it, the registry where there is none. */
  readonly tags: readonly string[];
}

const NAMES: readonly Named[] = [
  {
    says: 'two segments are of library',
    repository: 'library/x',
    asked: 'x:v1',
    tags: ['@/library/x:v1'],
  },
  {
    says: 'or as written, where there is no library',
    repository: 'x',
    asked: 'x:v1',
    tags: ['@/x:v1'],
  },
  { says: 'no tag is latest', repository: 'a/b', asked: 'a/b', tags: ['@/a/b:latest'] },
  {
    says: 'any number of segments',
    repository: 'a/b/c/d',
    asked: 'a/b/c/d:v1',
    tags: ['@/a/b/c/d:v1'],
  },
  {
    says: 'a namespace in the path',
    repository: 'quay.io/a/b',
    asked: 'quay.io/a/b:v1',
    tags: ['quay.io/a/b:v1'],
  },
  {
    says: 'a namespace that is given, and a dot in the path',
    repository: 'my.org/x',
    asked: 'my.org/x:v1',
    ns: 'quay.io',
    tags: ['quay.io/my.org/x:v1'],
  },
  {
    says: 'two segments and a namespace',
    repository: 'library/x',
    asked: 'x:v1',
    ns: 'docker.io',
    tags: ['docker.io/library/x:v1'],
  },
];

for (const { says, repository, asked, ns, tags } of NAMES) {
  test(`imgpull reads references: ${says}`, async () => {
    await using here = await world();
    const tag = asked.includes(':') ? 'v1' : 'latest';
    putImage(here.registry, repository, tag, LAYERS, { platform: HOST });
    const target = here.at('x.tar');
    const line = [`${here.host}/${asked}`, target, ...(ns === undefined ? [] : ['-n', ns])];
    const { code, out } = await here.run('imgpull', line);
    assert.equal(code, 0, out);
    assert.deepEqual(
      await tagsOf(target),
      tags.map((name) => name.replace('@', here.host)),
    );
    if (ns === undefined) {
      assert.equal(here.registry.count({ path: /ns=/ }), 0);
    }
  });
}

test('imgpull: an image by digest is named by it', async () => {
  await using here = await world();
  const { manifest } = putImage(here.registry, 'a/b', undefined, LAYERS, { platform: HOST });
  const target = here.at('x.tar');
  const { code, out } = await here.run('imgpull', [`${here.host}/a/b@${manifest.digest}`, target]);
  assert.equal(code, 0, out);
  assert.deepEqual(await tagsOf(target), [`${here.host}/a/b@${manifest.digest}`]);
});

for (const text of ['alpine', 'host.test/', '/x/y', 'host.test/UPPER:x', 'host.test/x@sha256:12']) {
  test(`imgpull: ${text} is no reference`, async () => {
    await using here = await world();
    const { code, out, error } = await here.run('imgpull', [text, here.at('x.tar')]);
    assert.deepEqual([code, error], [1, '']);
    assert.ok(out.startsWith(`unable to parse image url ${JSON.stringify(text)}: `), out);
  });
}

const OTHER =
  HOST.architecture === 'arm64'
    ? { os: 'linux', architecture: 'amd64' }
    : { os: 'linux', architecture: 'arm64' };

test('imgpull chooses by os and arch where there is a list, and takes a single image as it is', async () => {
  await using here = await world();
  const own = putImage(here.registry, 'a/b', undefined, [LAYERS[0] ?? Buffer.alloc(0)], {
    platform: HOST,
  });
  const other = putImage(here.registry, 'a/b', 'single', LAYERS, { platform: OTHER });
  here.registry.addIndex('a/b', 'list', [entryOf(own, HOST), entryOf(other, OTHER)]);
  const layersIn = async (...line: readonly string[]) => {
    const { code, out } = await here.run('imgpull', [...line, here.at('x.tar')]);
    assert.equal(code, 0, out);
    const members = await membersOf(here.at('x.tar'));
    return members.filter(({ name }) => name.endsWith('.tar.gz')).length;
  };
  assert.equal(await layersIn(`${here.host}/a/b:list`), 1);
  assert.equal(await layersIn(`${here.host}/a/b:list`, '-o', 'linux', '-a', OTHER.architecture), 2);
  assert.equal(await layersIn(`${here.host}/a/b:single`), 2);
});

test('imgpull: no image for the platform, and platforms that it does not know, end with 1', async () => {
  await using here = await world();
  const own = putImage(here.registry, 'a/b', undefined, LAYERS, { platform: HOST });
  here.registry.addIndex('a/b', 'list', [entryOf(own, HOST)]);
  const target = here.at('x.tar');
  const missing = await here.run('imgpull', [`${here.host}/a/b:list`, target, '-a', 's390x']);
  assert.deepEqual([missing.code, missing.error], [1, '']);
  assert.match(
    missing.out,
    /^unable to get manifest SHA for os "linux", arch "s390x"; there is linux\/\w+\n$/,
  );
  const unknown = await here.run('imgpull', [`${here.host}/a/b:list`, target, '-o', 'beos']);
  assert.equal(unknown.code, 1);
  assert.equal(
    unknown.out,
    `operating system "beos" and/or architecture "${HOST.architecture}" are not valid\n`,
  );
  assert.deepEqual(await readdir(here.at('.')), ['home']);
});

test('imgpull -u and -p, and -t, log in', async () => {
  await using here = await world({ auth: { kind: 'basic', username: 'me', password: 'it' } });
  putImage(here.registry, 'a/b', 'v1', LAYERS, { platform: HOST });
  const line = [`${here.host}/a/b:v1`, here.at('x.tar')];
  assert.equal((await here.run('imgpull', line)).code, 1);
  assert.equal((await here.run('imgpull', [...line, '-ume', '-pit'])).code, 0);
  const token = Buffer.from('me:it').toString('base64');
  assert.equal((await here.run('imgpull', [...line, '-t', token])).code, 0);
  const wrong = await here.run('imgpull', [...line, '-t', 'bm9uZQ==']);
  assert.deepEqual([wrong.code, wrong.out], [1, '--token is not user:password in base64\n']);
});

test('imgpull: https, and on this machine http where there is no TLS; --scheme decides', async () => {
  await using here = await world();
  putImage(here.registry, 'a/b', 'v1', LAYERS, { platform: HOST });
  const line = [`${here.host}/a/b:v1`, here.at('x.tar')];
  assert.equal((await here.run('imgpull', line)).code, 0);
  assert.equal((await here.run('imgpull', [...line, '--scheme', 'http'])).code, 0);
  const refused = await here.run('imgpull', [...line, '-s', 'https']);
  assert.equal(refused.code, 1);
  assert.match(refused.out, /TLS|was cut/);
  const odd = await here.run('imgpull', [...line, '-s', 'ftp']);
  assert.deepEqual([odd.code, odd.out], [1, 'scheme "ftp" is neither http nor https\n']);
});

test('imgpull: TLS with --cacert or --insecure, and mutual with --cert and --key', async () => {
  const authority = certificateAuthority();
  const tls = { ...authority.issue('127.0.0.1'), clientCa: authority.ca };
  await using here = await world({ tls });
  putImage(here.registry, 'a/b', 'v1', LAYERS, { platform: HOST });
  const own = authority.issue('client');
  await writeFile(here.at('ca.pem'), authority.ca);
  await writeFile(here.at('cert.pem'), own.cert);
  await writeFile(here.at('key.pem'), own.key);
  const line = [`${here.host}/a/b:v1`, here.at('x.tar')];
  const identity = ['-c', here.at('cert.pem'), '--key', here.at('key.pem')];
  assert.equal((await here.run('imgpull', [...line, ...identity])).code, 1);
  for (const trust of [['-x', here.at('ca.pem')], [`--ca=${here.at('ca.pem')}`], ['--insecure']]) {
    const { code, out } = await here.run('imgpull', [...line, ...identity, ...trust]);
    assert.equal(code, 0, out);
  }
  const alone = await here.run('imgpull', [...line, '-i', '-c', here.at('cert.pem')]);
  assert.equal(alone.code, 1);
});

test('imgpull -m prints a manifest, its digest and the image', async () => {
  await using here = await world();
  const own = putImage(here.registry, 'a/b', 'single', LAYERS, { platform: HOST });
  const index = here.registry.addIndex('a/b', 'v1', [entryOf(own, HOST)]);
  const image = `${here.host}/a/b`;
  const indented = (bytes: Uint8Array) =>
    JSON.stringify(JSON.parse(Buffer.from(bytes).toString()), undefined, 3);
  const list = await here.run('imgpull', [`${image}:v1`, '-m', 'list']);
  assert.equal(
    list.out,
    `MANIFEST:\n${indented(index.bytes)}\nMANIFEST DIGEST: ${hexOf(index.digest)}\nIMAGE URL: ${image}:v1\n`,
  );
  const one = await here.run('imgpull', [`${image}:v1`, '--manifest=image']);
  const shown = `MANIFEST:\n${indented(own.manifest.bytes)}\nMANIFEST DIGEST: ${hexOf(own.manifest.digest)}\n`;
  assert.equal(one.out, `${shown}IMAGE URL: ${image}@${own.manifest.digest}\n`);
  const single = await here.run('imgpull', [`${image}:single`, '-m', 'image']);
  assert.equal(single.out, `${shown}IMAGE URL: ${image}:single\n`);
  const none = await here.run('imgpull', [`${image}:single`, '-m', 'list']);
  assert.deepEqual(
    [none.code, none.out],
    [1, `server did not provide a manifest for "${image}:single"\n`],
  );
});

test('imgpull -l lists what it has saved, packed or not', async () => {
  await using here = await world();
  const put = putImage(here.registry, 'a/b', 'v1', LAYERS, { platform: HOST });
  await here.run('imgpull', [`${here.host}/a/b:v1`, here.at('x.tar')]);
  await writeFile(here.at('x.tgz'), gzipSync(await readFile(here.at('x.tar'))));
  for (const name of ['x.tar', 'x.tgz']) {
    const { code, out } = await here.run('imgpull', ['-l', here.at(name)]);
    assert.equal(code, 0, out);
    const lines = out.trimEnd().split('\n');
    assert.match(lines[0] ?? '', new RegExp(`^${here.host}/a/b:v1 \\(application/vnd\\..*\\)$`));
    assert.deepEqual(
      lines.slice(1),
      [...put.layers, put.config].map(({ digest }) => `  blob digest ${digest}`),
    );
  }
  const missing = await here.run('imgpull', ['-l', here.at('none.tar')]);
  assert.equal(missing.code, 1);
});

test('imgpull: wrong bytes, an unknown tag and an interruption leave no file', async () => {
  await using here = await world();
  const { layers } = putImage(here.registry, 'a/b', 'v1', [pattern(200_000)], { platform: HOST });
  const line = [`${here.host}/a/b:v1`, here.at('x.tar')];
  const unknown = await here.run('imgpull', [`${here.host}/a/b:none`, here.at('x.tar')]);
  assert.deepEqual([unknown.code, unknown.error], [1, '']);
  const undo = here.registry.misbehave(
    { path: new RegExp(layers[0]?.digest ?? '') },
    { kind: 'flip', at: 10 },
  );
  assert.equal((await here.run('imgpull', line)).code, 1);
  undo();
  const signals = new EventEmitter();
  here.registry.misbehave(
    { path: new RegExp(layers[0]?.digest ?? '') },
    { kind: 'slow', bytesPerSecond: 1000 },
  );
  const running = here.run('imgpull', line, { signals });
  await here.registry.seen({ path: new RegExp(layers[0]?.digest ?? '') }, 2);
  signals.emit('SIGINT');
  const { code, out, error } = await running;
  assert.deepEqual([code, out, error], [130, '', 'imgpull: interrupted\n']);
  assert.deepEqual(
    (await readdir(here.at('.'))).filter((name) => name !== 'home'),
    [],
  );
});
