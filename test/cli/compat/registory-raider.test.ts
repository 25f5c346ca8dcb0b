import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { formatSize } from '../../../src/cli/compat/registory-raider/screens.ts';
import { digestOf } from '../../../src/core/digest.ts';
import { hostPlatform } from '../../../src/core/platform.ts';
import { file, layerOf } from '../../fixtures/layer-builder.ts';
import { certificateAuthority } from '../../fixtures/certificate.ts';
import { pattern } from '../../fixtures/collect.ts';
import { pseudoTerminal, withoutTerminals } from '../../fixtures/pseudo-terminal.ts';
import { entryOf, putImage, world, type Put, type World } from './world.ts';

const REPOSITORY = 'op-cdr/go-consumer';
const LAYERS = ['zero', 'one', 'two'].map((text) => layerOf([file('a', text)]));
const CONFIG = {
  created: '2026-01-02T03:04:05Z',
  config: {
    Env: ['PATH=/bin', 'B=1'],
    ExposedPorts: { '80/tcp': {}, '90/udp': {} },
    Entrypoint: ['/bin/app', '--now'],
    WorkingDir: '/work',
  },
  history: [
    { created_by: '/bin/sh -c #(nop) ADD file:1 in /' },
    { created_by: 'ENV B=1', empty_layer: true },
    { created_by: 'RUN one' },
    { created_by: 'RUN two\u001b[2J' },
  ],
};

const PICK = "Select a repository (number) or 'q' to quit: ";
const TAG = "Select a tag (number) or 'q' to quit: ";
const LAYER =
  "Select fsLayer(s) - number, range (1-5), list (1,3,5), 'a' for all, or 'q' to quit: ";
const FOLDER = 'Output directory [press Enter for current dir]: ';

function put(here: World): Put {
  putImage(here.registry, 'alone', 'v1', [LAYERS[0] ?? Buffer.alloc(0)]);
  return putImage(here.registry, REPOSITORY, 'latest', LAYERS, { config: CONFIG });
}

const raided = (here: World, ...typed: readonly string[]) =>
  here.run('registory-raider', [`http://${here.host}`], {
    typed: typed.map((line) => `${line}\n`).join(''),
  });

test('registory-raider walks from the catalog to layers on this disk', async () => {
  await using here = await world();
  const { layers, config } = put(here);
  const [base, middle, top] = layers;
  const target = here.at('new/folder');
  const { code, out, error } = await raided(here, '2', '1', '1,3', target);
  assert.deepEqual([code, error], [0, '']);
  const dashes = '-'.repeat(50);
  const name = 'op-cdr-go-consumer-latest-layer';
  assert.equal(
    out,
    `Fetching Catalog from http://${here.host}/

  Repositories:  2

  1. alone
  2. ${REPOSITORY}


${PICK}

Tags for: ${REPOSITORY}
  Total:  1

  1. latest

${TAG}
Manifest for: ${REPOSITORY}:latest
${dashes}
architecture: amd64
os:           linux
ExposedPorts: 80/tcp
ExposedPorts: 90/udp
ENV:          PATH=/bin
ENV:          B=1
ENTRYPOINT:   /bin/app --now
WORKINGDIR:   /work
created:      2026-01-02T03:04:05Z
id:           ${config.digest}

Build History (4 layers):
${dashes}
  [1] RUN two\\x1b[2J
  [2] RUN one
  [3] ENV B=1
  [4] /bin/sh -c #(nop) ADD file:1 in /


fsLayers (3 total):
${dashes}
  01. ${top?.digest} (${top?.size} bytes)
  02. ${middle?.digest} (${middle?.size} bytes)
  03. ${base?.digest} (${base?.size} bytes)

${LAYER}${FOLDER}Created directory: ${target}

[1/2] Saving layer 1 as ${name}1.tar.gz
Downloading ${top?.digest}...
Saved as ${target}/${name}1.tar.gz

[2/2] Saving layer 3 as ${name}3.tar.gz
Downloading ${base?.digest}...
Saved as ${target}/${name}3.tar.gz

Downloaded 2 layers to ${target}
`,
  );
  assert.deepEqual(await readFile(`${target}/${name}1.tar.gz`), LAYERS[2]);
  assert.deepEqual(await readFile(`${target}/${name}3.tar.gz`), LAYERS[0]);
});

/** A manifest of docker's schema 1, the newest first, with signatures as registries put them in. */
function schema1(layers: readonly Uint8Array[], newest: string, signed: 'signed' | 'unsigned') {
  const older = JSON.stringify({ id: 'older', container_config: { Cmd: ['/bin/sh', '-c', 'a'] } });
  const unsigned = {
    schemaVersion: 1,
    name: 'old/app',
    tag: 'v1',
    architecture: 'arm',
    fsLayers: layers.map((layer) => ({ blobSum: digestOf(layer) })),
    history: [newest, older].map((v1Compatibility) => ({ v1Compatibility })),
  };
  const payload = JSON.stringify(unsigned, undefined, 3);
  if (signed === 'unsigned') return { bytes: Buffer.from(payload), digest: undefined };
  const formatLength = payload.length - 2;
  const formatTail = Buffer.from(payload.slice(formatLength)).toString('base64url');
  const header = Buffer.from(JSON.stringify({ formatLength, formatTail })).toString('base64url');
  const signatures = JSON.stringify([{ protected: header, signature: 'x' }]);
  return {
    bytes: Buffer.from(`${payload.slice(0, formatLength)},\n   "signatures": ${signatures}\n}`),
    digest: digestOf(Buffer.from(payload)),
  };
}

for (const signed of ['signed', 'unsigned'] as const) {
  test(`registory-raider shows and saves schema 1, ${signed}`, async () => {
    await using here = await world();
    const [top = Buffer.alloc(0), base = Buffer.alloc(0)] = LAYERS;
    for (const layer of [top, base]) here.registry.addBlob(layer);
    const newest = JSON.stringify({
      id: 'newer',
      parent: 'older',
      os: 'linux',
      created: '2015-01-02T03:04:05Z',
      config: { Env: ['A=1'], ExposedPorts: { '80/tcp': {} }, Entrypoint: ['/x'], WorkingDir: '/' },
      container_config: { Cmd: ['/bin/sh -c #(nop) CMD ["x"]'] },
    });
    const { bytes, digest } = schema1([top, base], newest, signed);
    const type = `application/vnd.docker.distribution.manifest.v1+${digest ? 'prettyjws' : 'json'}`;
    here.registry.addManifest('old/app', 'v1', bytes, type);
    if (digest !== undefined) {
      const set = { 'docker-content-digest': digest };
      here.registry.misbehave({ path: /manifests\/v1$/ }, { kind: 'headers', set });
    }
    const { code, out, error } = await raided(here, '1', '1', '2', here.at('saved'));
    assert.deepEqual([code, error], [0, ''], out);
    const dashes = '-'.repeat(50);
    assert.ok(
      out.includes(`
Manifest for: old/app:v1
${dashes}
architecture: arm
os:           linux
ExposedPorts: 80/tcp
ENV:          A=1
ENTRYPOINT:   /x
WORKINGDIR:   /
created:      2015-01-02T03:04:05Z
id:           newer
parent:       older

Build History (2 layers):
${dashes}
  [1] /bin/sh -c #(nop) CMD ["x"]
  [2] /bin/sh -c a


fsLayers (2 total):
${dashes}
  01. ${digestOf(top)} (${top.length} bytes)
  02. ${digestOf(base)} (${base.length} bytes)
`),
      out,
    );
    assert.deepEqual(await readFile(`${here.at('saved')}/old-app-v1-layer2.tar.gz`), base);
  });
}

test('registory-raider: schema 1 that nobody can read, and a layer that is gone', async () => {
  await using here = await world();
  const { bytes } = schema1([Buffer.from('nowhere')], 'no JSON', 'unsigned');
  const type = 'application/vnd.docker.distribution.manifest.v1+json';
  here.registry.addManifest('old/app', 'v1', bytes, type);
  const { code, out } = await raided(here, '1', '1', '1', here.at('saved'));
  assert.equal(code, 1);
  assert.match(out, /\n {2}\[Could not parse v1Compatibility\]\n/);
  assert.match(out, /\n {2}\[1\] \(could not parse layer\)\n {2}\[2\] \/bin\/sh -c a\n/);
  assert.match(out, /\n {2}01\. sha256:[0-9a-f]{64} \(size unknown\)\n/);
  assert.match(out, /\nError downloading blob: /);
});

test('signatures that are not of what the registry says are no way in', async () => {
  await using here = await world();
  const { bytes } = schema1([], '{}', 'signed');
  const type = 'application/vnd.docker.distribution.manifest.v1+prettyjws';
  here.registry.addManifest('old/app', 'v1', bytes, type);
  const set = { 'docker-content-digest': digestOf(Buffer.from('another')) };
  here.registry.misbehave({ path: /manifests\/v1$/ }, { kind: 'headers', set });
  const { code, error } = await raided(here, '1', '1');
  assert.equal(code, 1);
  assert.match(error, /the manifest's bytes are sha256:/);
});

test('registory-raider saves one layer without counting, into the current folder for Enter', async () => {
  await using here = await world();
  put(here);
  await mkdir(here.at('current'));
  const before = process.cwd();
  process.chdir(here.at('current'));
  try {
    const { code, out } = await raided(here, '2', '1', '2', '');
    assert.equal(code, 0);
    const name = 'op-cdr-go-consumer-latest-layer2.tar.gz';
    assert.match(out, new RegExp(`: \nSaving layer 2 as ${name}\n.*\nSaved as \\./${name}\n$`));
    assert.deepEqual(await readFile(name), LAYERS[1]);
  } finally {
    process.chdir(before);
  }
});

for (const [typed, says] of [
  [['0'], 'Invalid selection. Please enter a number between 1 and 2.'],
  [['3'], 'Invalid selection. Please enter a number between 1 and 2.'],
  [['x'], "Please enter a valid number or 'q' to quit."],
  [[''], "Please enter a valid number or 'q' to quit."],
  [['2', '2'], 'Invalid selection. Please enter a number between 1 and 1.'],
  [['2', 'latest'], "Please enter a valid number or 'q' to quit."],
  [['2', '1', '4'], 'Error: Layer 4 is out of range. Must be between 1 and 3.'],
  [['2', '1', ''], 'Error: No valid layers specified.'],
] as const) {
  test(`registory-raider asks again: ${typed.join(' ')}`, async () => {
    await using here = await world();
    put(here);
    const { code, out } = await raided(here, ...typed, 'q');
    assert.equal(code, 0);
    const prompt = [PICK, TAG, LAYER][typed.length - 1] ?? '';
    assert.ok(out.endsWith(`${prompt}${says}\n${prompt}Exiting.\n`), out);
  });
}

for (const typed of [['q'], ['2', 'Q'], ['2', '1', 'q']]) {
  test(`registory-raider is left with q: ${typed.join(' ')}`, async () => {
    await using here = await world();
    put(here);
    const { code, out } = await raided(here, ...typed);
    assert.equal(code, 0);
    assert.match(out, /: Exiting\.\n$/);
  });
}

for (const typed of [[], ['2'], ['2', '1'], ['2', '1', 'a']]) {
  test(`registory-raider ends where the lines end, with 0: ${typed.length}`, async () => {
    await using here = await world();
    put(here);
    const { code, out } = await raided(here, ...typed);
    assert.equal(code, 0);
    assert.match(out, /: \nExiting\.\n$/);
  });
}

test('registory-raider takes all layers with a', async () => {
  await using here = await world();
  put(here);
  const { code, out } = await raided(here, '2', '1', 'A', here.at('all'));
  assert.equal(code, 0);
  assert.ok(out.endsWith(`\nDownloaded 3 layers to ${here.at('all')}\n`));
  assert.equal((await readdir(here.at('all'))).length, 3);
});

for (const line of [[], ['--what', 'http://localhost:5000/']]) {
  test(`registory-raider shows its usage: ${line.join(' ')}`, async () => {
    await using here = await world();
    const { code, out } = await here.run('registory-raider', line);
    assert.equal(code, 1);
    assert.match(out, /^Usage: registory-raider .*<registry_url>\n\n  Enumerate Docker Registry/);
    assert.equal((await here.run('registory-raider', ['--help'])).code, 0);
  });
}

test('registory-raider: what is no registry, and no catalog, end with 1 and a line', async () => {
  await using here = await world();
  const wrong = await here.run('registory-raider', ['http://localhost:5000/prefix/']);
  assert.deepEqual([wrong.code, wrong.out], [1, '']);
  assert.match(wrong.error, /^registory-raider: not a registry: .*\n$/);
  here.registry.misbehave({ path: /_catalog/ }, { kind: 'status', status: 404 });
  const unlisted = await here.run('registory-raider', [here.host]);
  assert.deepEqual([unlisted.code, unlisted.out], [1, '']);
  assert.match(unlisted.error, /^registory-raider: [^\n]+\n$/);
});

test('registory-raider: no repositories, no layers: there is nothing to be asked', async () => {
  await using here = await world();
  const none = await raided(here);
  assert.deepEqual([none.code, none.out.includes('Select')], [0, false]);
  putImage(here.registry, 'empty', 'v1', []);
  const { code, out } = await raided(here, '1', '1');
  assert.equal(code, 0);
  assert.match(out, /\nfsLayers \(0 total\):\n-{50}\n\n$/);
});

test('registory-raider: a repository of which every image is gone has no tags', async () => {
  await using here = await world();
  putImage(here.registry, 'gone', 'v1', LAYERS);
  const body = { errors: [{ code: 'NAME_UNKNOWN', message: 'repository name not known' }] };
  here.registry.misbehave({ path: /tags\/list/ }, { kind: 'status', status: 404, body });
  const { code, out, error } = await raided(here, '1');
  assert.deepEqual([code, error], [0, '']);
  assert.match(out, /\nTags for: gone\n +Total: +0\n/);
});

test('registory-raider goes on after a layer that fails, and ends with 1', async () => {
  await using here = await world();
  const { layers } = put(here);
  here.registry.misbehave({ path: new RegExp(layers[1]?.digest ?? '') }, { kind: 'flip', at: 20 });
  const { code, out } = await raided(here, '2', '1', 'a', here.at('all'));
  assert.equal(code, 1);
  assert.match(out, /\nError downloading blob: [^\n]+\n\n\[3\/3\] /);
  assert.ok(out.endsWith(`\nDownloaded 2 of 3 layers to ${here.at('all')}\n`), out);
  assert.deepEqual((await readdir(here.at('all'))).toSorted(), [
    'op-cdr-go-consumer-latest-layer1.tar.gz',
    'op-cdr-go-consumer-latest-layer3.tar.gz',
  ]);
});

test('registory-raider follows no link that lies where a layer is to be', async () => {
  await using here = await world();
  put(here);
  await mkdir(here.at('folder'));
  await writeFile(here.at('precious'), 'precious');
  await symlink('../precious', here.at('folder/op-cdr-go-consumer-latest-layer1.tar.gz'));
  const { code, out } = await raided(here, '2', '1', '1', here.at('folder'));
  assert.equal(code, 1);
  assert.match(out, /it is no ordinary file/);
  assert.equal(await readFile(here.at('precious'), 'utf8'), 'precious');
});

test('registory-raider: an interruption while it saves ends with 130 and leaves no file', async () => {
  await using here = await world();
  const big = layerOf([file('a', pattern(200_000))], 'none');
  const { layers } = putImage(here.registry, 'a/b', 'v1', [big], { types: ['tar'] });
  const blob = { path: new RegExp(layers[0]?.digest ?? '') };
  here.registry.misbehave(blob, { kind: 'slow', bytesPerSecond: 1000 });
  const signals = new EventEmitter();
  const typed = `1\n1\n1\n${here.at('saved')}\n`;
  const running = here.run('registory-raider', [`http://${here.host}`], { typed, signals });
  await here.registry.seen(blob, 1);
  signals.emit('SIGINT');
  assert.equal((await running).code, 130);
  assert.deepEqual(await readdir(here.at('saved')), []);
});

test('registory-raider takes the image for this machine out of a list, or the first', async () => {
  await using here = await world();
  const { os, architecture } = hostPlatform();
  const host = { os, architecture };
  const other = { os: 'plan9', architecture: 'mips' };
  const [foreign, own] = [other, host].map((platform) =>
    putImage(here.registry, 'many', undefined, LAYERS.slice(0, 1), { platform }),
  );
  assert.ok(foreign !== undefined && own !== undefined);
  here.registry.addIndex('many', 'both', [entryOf(foreign, other), entryOf(own, host)]);
  here.registry.addIndex('many', 'foreign', [entryOf(foreign, other)]);
  assert.match((await raided(here, '1', '1', 'q')).out, new RegExp(`os: +${os}\n`));
  assert.match((await raided(here, '1', '2', 'q')).out, /os: +plan9\n/);
});

for (const [type, suffix] of [
  ['gzip', 'tar.gz'],
  ['zstd', 'tar.zst'],
  ['tar', 'tar'],
] as const) {
  test(`registory-raider names files by how they are compressed: ${type}`, async () => {
    await using here = await world();
    const layer = layerOf([file('a')], type === 'tar' ? 'none' : type);
    putImage(here.registry, 'a', 'v1', [layer], { types: [type] });
    await raided(here, '1', '1', '1', here.at('saved'));
    assert.deepEqual(await readdir(here.at('saved')), [`a-v1-layer1.${suffix}`]);
  });
}

for (const [bytes, text] of [
  [0, '0 bytes'],
  [1023, '1023 bytes'],
  [1024, '1.0 KB'],
  [1024 ** 2 - 1, '1024.0 KB'],
  [1024 ** 2, '1.0 MB'],
  [3 * 1024 ** 3, '3072.0 MB'],
] as const) {
  test(`registory-raider shows sizes: ${bytes}`, () => {
    assert.equal(formatSize(bytes), text);
  });
}

for (const [key, typed] of [
  ['Ctrl-C', '\u0003'],
  ['Ctrl-D', '\u0004'],
  ['q', 'q\r'],
] as const) {
  test(
    `registory-raider is left at a terminal: ${key}`,
    { skip: withoutTerminals(), timeout: 30_000 },
    async () => {
      await using here = await world();
      put(here);
      const program = fileURLToPath(new URL('../../../bin/registory-raider', import.meta.url));
      const env = { PATH: process.env['PATH'] ?? '', HOME: here.at('.'), TERM: 'xterm' };
      const line = [program, `http://${here.host}`];
      await using terminal = pseudoTerminal(line, { env, cwd: here.at('.') });
      await terminal.shows(PICK);
      terminal.type('2\r');
      await terminal.shows(TAG);
      terminal.type('1\r');
      await terminal.shows(LAYER.slice(0, 40));
      terminal.type(typed);
      await terminal.shows('Exiting.');
      assert.equal(await terminal.ended, 0);
    },
  );
}

test('registory-raider: --insecure, and certificates are checked without it', async () => {
  await using here = await world({ tls: certificateAuthority().issue('127.0.0.1') });
  put(here);
  const line = [`https://${here.host}`];
  const refused = await here.run('registory-raider', line);
  assert.deepEqual([refused.code, refused.out], [1, '']);
  assert.match(refused.error, /--insecure/);
  const { code, out } = await here.run('registory-raider', ['--insecure', ...line]);
  assert.equal(code, 0);
  assert.match(out, /Repositories: {2}2\n/);
});

test('registory-raider uses the login that docker has', async () => {
  await using here = await world({ auth: { kind: 'bearer', username: 'me', password: 'it' } });
  put(here);
  const line = [`http://${here.host}/`];
  assert.equal((await here.run('registory-raider', line)).code, 1);
  const auth = Buffer.from('me:it').toString('base64');
  await writeFile(here.at('config.json'), JSON.stringify({ auths: { [here.host]: { auth } } }));
  const environment = { DOCKER_CONFIG: here.at('.') };
  const { code, error } = await here.run('registory-raider', line, { environment });
  assert.deepEqual([code, error], [0, '']);
});

test('registory-raider lists every page of the catalog', async () => {
  await using here = await world();
  const names = ['a', 'b', 'c/d', 'e', 'f'];
  for (const name of names) putImage(here.registry, name, 'v1', LAYERS.slice(0, 1));
  const { out } = await raided(here, 'q');
  const listed = names.map((name, index) => `  ${index + 1}. ${name}\n`).join('');
  assert.ok(out.includes(`  Repositories:  5\n\n${listed}\n`), out);
  assert.ok(here.registry.count({ path: /_catalog/ }) > 1);
});
