import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { parseCrpy } from '../../../src/cli/compat/crpy/reference.ts';
import { pythonOf } from '../../../src/cli/compat/python.ts';
import { richTable } from '../../../src/cli/compat/rich-table.ts';
import { hexOf } from '../../../src/core/digest.ts';
import { formatReference } from '../../../src/core/reference.ts';
import { client } from '../../../src/image/client.ts';
import { parseReference } from '../../../src/image/location.ts';
import { pull } from '../../../src/image/pull.ts';
import { pattern } from '../../fixtures/collect.ts';
import { file, layerOf } from '../../fixtures/layer-builder.ts';
import { entryOf, membersOf, putImage, world, type Put, type World } from './world.ts';

const LAYERS = [layerOf([file('a', 'one')]), layerOf([file('b', 'two')])];
const AMD64 = { os: 'linux', architecture: 'amd64' };
const ARM64 = { os: 'linux', architecture: 'arm64', variant: 'v8' };
const DIGEST = `sha256:${'a'.repeat(64)}`;

interface Referred {
  readonly url: string;
  readonly shown: string;
  /** What is asked for; a registry alone if left out. */
  readonly image?: string;
  readonly plainHttp?: boolean;
  readonly bare?: 'registry';
}

const REFERENCES: readonly Referred[] = [
  {
    url: 'alpine',
    shown: 'index.docker.io/library/alpine:latest',
    image: 'docker.io/library/alpine:latest',
  },
  {
    url: 'alpine:3.20',
    shown: 'index.docker.io/library/alpine:3.20',
    image: 'docker.io/library/alpine:3.20',
  },
  { url: 'bitnami/x:1', shown: 'index.docker.io/bitnami/x:1', image: 'docker.io/bitnami/x:1' },
  {
    url: `alpine@${DIGEST}`,
    shown: `index.docker.io/library/alpine@${DIGEST}`,
    image: `docker.io/library/alpine@${DIGEST}`,
  },
  {
    url: 'docker.io/alpine',
    shown: 'docker.io/library/alpine:latest',
    image: 'docker.io/library/alpine:latest',
  },
  {
    url: 'gcr.io/distroless/cc:latest',
    shown: 'gcr.io/distroless/cc:latest',
    image: 'gcr.io/distroless/cc:latest',
  },
  { url: 'my.test/app', shown: 'my.test/app:latest', image: 'my.test/app:latest' },
  {
    url: 'localhost:5000/app',
    shown: 'localhost:5000/app:latest',
    image: 'localhost:5000/app:latest',
  },
  { url: 'localhost/app', shown: 'localhost/app:latest', image: 'localhost/app:latest' },
  { url: 'host/a/b:1', shown: 'host/a/b:1', image: 'host/a/b:1' },
  {
    url: 'http://localhost:5000/a/b',
    shown: 'localhost:5000/a/b:latest',
    image: 'localhost:5000/a/b:latest',
    plainHttp: true,
  },
  { url: 'https://host/a', shown: 'host/a:latest', image: 'host/a:latest', plainHttp: false },
  { url: 'ghcr.io', shown: 'ghcr.io' },
  { url: 'http://localhost:5000', shown: 'localhost:5000', plainHttp: true },
  { url: 'localhost:5000', shown: 'localhost:5000', bare: 'registry' },
  { url: 'index.docker.io', shown: 'index.docker.io', bare: 'registry' },
];

for (const { url, shown, image, plainHttp, bare } of REFERENCES) {
  test(`crpy reads ${url} as ${shown}`, () => {
    const read = parseCrpy(url, bare);
    assert.equal(read.shown, shown);
    assert.equal(read.plainHttp, plainHttp);
    assert.equal(read.image && formatReference(read.image.repository, read.image.at), image);
  });
}

test('crpy pull writes its archive and tells each layer in order', async () => {
  await using here = await world({ auth: { kind: 'bearer' } });
  const put = putImage(here.registry, 'a/b', 'v1', LAYERS);
  const target = here.at('x.tar.gz');
  const shown = `${here.host}/a/b:v1`;
  const first = await here.run('crpy', ['pull', `http://${shown}`, target]);
  assert.deepEqual([first.code, first.out], [0, ''], first.error);
  const [one = '', two = ''] = put.layers.map(({ digest }) => hexOf(digest));
  assert.deepEqual(first.error.split('\n'), [
    `v1: Pulling from ${here.host}/a/b`,
    `Authenticated at ${shown}`,
    `${one.slice(0, 12)}: Pull complete`,
    `${two.slice(0, 12)}: Pull complete`,
    `Downloaded image from ${shown}`,
    '',
  ]);
  const members = new Map((await membersOf(target)).map(({ name, bytes }) => [name, bytes]));
  assert.deepEqual(
    [...members.keys()].toSorted(),
    [
      './manifest.json',
      `./${one}/VERSION`,
      `./${one}/layer.tar`,
      `./${two}/VERSION`,
      `./${two}/layer.tar`,
      `./${hexOf(put.config.digest)}.json`,
    ].toSorted(),
  );
  assert.deepEqual(members.get(`./${one}/layer.tar`), LAYERS[0]);
  assert.equal(members.get(`./${one}/VERSION`)?.toString(), '1.0');
  assert.deepEqual(JSON.parse(members.get('./manifest.json')?.toString() ?? ''), [
    {
      Config: `${hexOf(put.config.digest)}.json`,
      RepoTags: [shown],
      Layers: [`${one}/layer.tar`, `${two}/layer.tar`],
    },
  ]);
});

test('crpy pull takes layers out of the cache, and says so; --no-cache does not', async () => {
  await using here = await world();
  const { layers } = putImage(here.registry, 'a/b', 'v1', LAYERS.slice(0, 1));
  const short = hexOf(layers[0]?.digest ?? (DIGEST as never)).slice(0, 12);
  const blob = { path: new RegExp(layers[0]?.digest ?? '') };
  const line = ['pull', `${here.host}/a/b:v1`, here.at('x.tar')];
  await here.run('crpy', line);
  assert.equal(here.registry.count(blob), 1);
  const second = await here.run('crpy', line);
  assert.ok(second.error.includes(`Using cache for layer ${short}\n${short}: Pull complete\n`));
  assert.equal(here.registry.count(blob), 1);
  const third = await here.run('crpy', [...line, '--no-cache']);
  assert.ok(!third.error.includes('Using cache'), third.error);
  assert.equal(here.registry.count(blob), 2);
});

test('crpy pull without a file writes one by the name of the repository', async () => {
  await using here = await world();
  putImage(here.registry, 'library/app', 'v1', LAYERS);
  const before = process.cwd();
  process.chdir(here.at('.'));
  try {
    assert.equal((await here.run('crpy', ['pull', `${here.host}/library/app:v1`])).code, 0);
  } finally {
    process.chdir(before);
  }
  assert.ok((await readdir(here.at('.'))).includes('library_app'));
});

/** A list of two, arm64 first. */
function putList(here: World): {
  readonly arm: Put;
  readonly amd: Put;
  readonly index: Uint8Array;
} {
  const arm = putImage(here.registry, 'a/b', undefined, LAYERS.slice(0, 1), { platform: ARM64 });
  const amd = putImage(here.registry, 'a/b', undefined, LAYERS.slice(1), { platform: AMD64 });
  const entries = [entryOf(arm, ARM64), entryOf(amd, AMD64)];
  return { arm, amd, index: here.registry.addIndex('a/b', 'list', entries).bytes };
}

const printed = (bytes: Uint8Array): string => `${pythonOf(Buffer.from(bytes).toString())}\n`;

test('crpy chooses the first of a list, or the platform that it is told', async () => {
  await using here = await world();
  const { arm, amd } = putList(here);
  const url = `${here.host}/a/b:list`;
  const manifest = async (...line: readonly string[]) =>
    (await here.run('crpy', ['manifest', ...line])).out;
  assert.equal(await manifest(url), printed(arm.manifest.bytes));
  for (const flag of ['-a', '--arch', '--architecture', '--platform']) {
    assert.equal(await manifest(url, flag, 'linux/amd64'), printed(amd.manifest.bytes));
  }
  await here.run('crpy', ['pull', url, here.at('x.tar'), '-a', 'linux/amd64']);
  const names = (await membersOf(here.at('x.tar'))).map(({ name }) => name);
  assert.ok(names.includes(`./${hexOf(amd.config.digest)}.json`));
});

test('crpy manifest -f prints the list', async () => {
  await using here = await world();
  const { index } = putList(here);
  const { code, out } = await here.run('crpy', ['manifest', '-f', `${here.host}/a/b:list`]);
  assert.deepEqual([code, out], [0, printed(index)]);
});

interface Failing {
  readonly says: string;
  readonly line: (here: World) => readonly string[];
  readonly error: RegExp;
}

const FAILING: readonly Failing[] = [
  {
    says: 'a platform that crpy does not know',
    line: ({ host }) => ['pull', `${host}/a/b:list`, 'x', '-a', 'linux/vax'],
    error:
      /^(?:.*\n)?Platform 'linux\/vax' not recognized\. Choose one from \['linux\/amd64', 'linux\/arm64\/v8', .*'linux\/s390x'\]\n$/,
  },
  {
    says: 'a platform that is not in the list',
    line: ({ host }) => ['manifest', `${host}/a/b:list`, '-a', 'linux/s390x'],
    error:
      /^No matching manifest for linux\/s390x in the manifest list entries at .*\/a\/b:list\.\nAvailable architectures: \['linux\/arm64\/v8', 'linux\/amd64'\]\n$/,
  },
  {
    says: '--fat with --architecture',
    line: ({ host }) => ['manifest', `${host}/a/b:list`, '-f', '-a', 'linux/amd64'],
    error: /^Cannot provide --fat and --architecture together\.\n$/,
  },
  {
    says: 'tags of a registry',
    line: () => ['tags', 'ghcr.io'],
    error: /^Repository must be provided to list tags!\n$/,
  },
  {
    says: 'a file that is no archive',
    line: ({ host }) => ['push', import.meta.filename, `${host}/a/b:new`],
    error: /^Failed to load .*crpy\.test\.ts\. Is an Docker image\?/,
  },
  {
    says: 'an unknown tag',
    line: ({ host }) => ['config', `${host}/a/b:none`],
    error: /not there/,
  },
  {
    says: 'a layer that is not there',
    line: ({ host }) => ['layer', `${host}/a/b:list`, '7'],
    error: /^There is no layer 7; there are 1: sha256:/,
  },
  {
    says: 'logging out where nobody is logged in',
    line: () => ['logout', 'ghcr.io'],
    error: /^Could find find credentials for ghcr\.io\n$/,
  },
  {
    says: 'logging out of a repository',
    line: () => ['logout', 'ghcr.io/owner/app'],
    error:
      /^Invalid url provided\. Please provide the full registry url, without repository name\.\n/,
  },
  {
    says: 'deleting what is not there',
    line: ({ host }) => ['delete', `${host}/a/b:none`],
    error: /not there/,
  },
];

for (const { says, line, error } of FAILING) {
  test(`crpy ends with 255: ${says}`, async () => {
    await using here = await world();
    putList(here);
    const run = await here.run('crpy', line(here));
    assert.deepEqual([run.code, run.out], [255, '']);
    assert.match(run.error, error);
  });
}

test('crpy manifest of a missing tag prints what the registry says, and ends with 0', async () => {
  await using here = await world();
  putList(here);
  here.registry.misbehave(
    { path: /manifests\/1\.2\.3/ },
    {
      kind: 'status',
      status: 404,
      body: {
        errors: [
          { code: 'MANIFEST_UNKNOWN', message: 'manifest unknown', detail: 'unknown tag=1.2.3' },
        ],
      },
    },
  );
  for (const flags of [[], ['-f']]) {
    const { code, out } = await here.run('crpy', ['manifest', ...flags, `${here.host}/a/b:1.2.3`]);
    assert.equal(
      out,
      "{'errors': [{'code': 'MANIFEST_UNKNOWN', 'message': 'manifest unknown', 'detail': 'unknown tag=1.2.3'}]}\n",
    );
    assert.equal(code, 0);
  }
});

test('crpy manifest of what is no registry fails', async () => {
  await using here = await world();
  here.registry.misbehave({ path: /manifests/ }, { kind: 'status', status: 404, body: 'a page' });
  const { code, out } = await here.run('crpy', ['manifest', `${here.host}/a/b:1`]);
  assert.deepEqual([code, out], [255, '']);
});

test('crpy config and commands print what the image was made with', async () => {
  await using here = await world();
  const history = [
    { created_by: '/bin/sh -c #(nop) ADD x' },
    { empty_layer: true },
    { created_by: 'CMD ["sh"]' },
  ];
  putImage(here.registry, 'a/b', 'v1', LAYERS, { config: { created: null, history } });
  const url = `${here.host}/a/b:v1`;
  const config = await here.run('crpy', ['config', url]);
  assert.match(
    config.out,
    /^\{'os': 'linux', 'architecture': 'amd64', .*'created': None, 'history': \[\{'created_by': '\/bin\/sh -c #\(nop\) ADD x'\}, \{'empty_layer': True\}, /,
  );
  const commands = await here.run('crpy', ['commands', url]);
  assert.equal(commands.out, '/bin/sh -c #(nop) ADD x\n\nCMD ["sh"]\n');
});

test('crpy layer writes a layer as it is stored, by position or by a part of its digest', async () => {
  await using here = await world();
  const { layers } = putImage(here.registry, 'a/b', 'v1', LAYERS);
  const url = `${here.host}/a/b:v1`;
  const layer = async (reference: string) => {
    const { code, out, error } = await here.run('crpy', ['layer', url, reference]);
    assert.equal(code, 0, error);
    return Buffer.from(out, 'latin1');
  };
  assert.deepEqual(await layer('0'), LAYERS[0]);
  assert.deepEqual(await layer('1'), LAYERS[1]);
  assert.deepEqual(await layer('-1'), LAYERS[1]);
  assert.deepEqual(await layer('-2'), LAYERS[0]);
  assert.deepEqual(await layer(layers[1]?.digest ?? ''), LAYERS[1]);
  assert.deepEqual(await layer((layers[1]?.digest ?? '').slice(20, 40)), LAYERS[1]);
  assert.deepEqual(await layer('sha256'), LAYERS[0]);
});

test('crpy layer fails when the bytes are wrong', async () => {
  await using here = await world();
  const { layers } = putImage(here.registry, 'a/b', 'v1', [pattern(50_000)]);
  here.registry.misbehave({ path: new RegExp(layers[0]?.digest ?? '') }, { kind: 'flip', at: 7 });
  const line = ['layer', `${here.host}/a/b:v1`, '0'];
  assert.equal((await here.run('crpy', line)).code, 255);
  const cacheless = await here.run('crpy', line, { environment: { XDG_CACHE_HOME: '/dev/null' } });
  assert.equal(cacheless.code, 255);
});

test('crpy push takes what crpy and imgpull save, and says what was there', async () => {
  await using here = await world({ auth: { kind: 'bearer' } });
  const { layers } = putImage(here.registry, 'a/b', 'v1', LAYERS);
  const shorts = layers.map(({ digest }) => hexOf(digest).slice(0, 12));
  await here.run('crpy', ['pull', `${here.host}/a/b:v1`, here.at('crpy.tar')]);
  await here.run('imgpull', [`${here.host}/a/b:v1`, here.at('imgpull.tar'), '-aamd64']);
  const shown = `${here.host}/c/d:new`;
  here.registry.misbehave({ method: 'POST', path: /mount=/ }, { kind: 'no-mount' });
  for (const [name, words] of [
    ['crpy.tar', 'Pushed'],
    ['imgpull.tar', 'Layer already exists'],
  ] as const) {
    const { code, out, error } = await here.run('crpy', ['push', here.at(name), shown]);
    assert.deepEqual([code, out], [0, ''], error);
    const lines = error
      .trimEnd()
      .split('\n')
      .filter((line) => !line.startsWith('Authenticated'));
    const pushed = here.registry.manifest('c/d', 'new');
    assert.deepEqual(lines, [
      `The push refers to repository [${shown}]`,
      ...shorts.map((short) => `${short}: ${words}`),
      `Pushed new: digest: ${pushed?.digest}`,
    ]);
    const text = Buffer.from(pushed?.bytes ?? '{}').toString();
    const manifest = JSON.parse(text);
    assert.equal(text, JSON.stringify(manifest));
    assert.deepEqual(
      manifest.layers.map(({ digest }: { digest: string }) => digest),
      layers.map(({ digest }) => digest),
    );
  }
});

test('crpy push takes the image that is there of an index, and the last of several images', async () => {
  await using here = await world();
  const { amd } = putList(here);
  const list = parseReference(`${here.host}/a/b:list`);
  const other = putImage(here.registry, 'a/b', 'other', [layerOf([file('c')])]);
  await using source = client();
  const place = { kind: 'docker-archive', file: here.at('saved.tar') } as const;
  const opened = await source.read({ kind: 'registry', reference: list });
  const copied = async (...names: readonly string[]) => {
    await using into = await source.write(place, { name: list });
    const images = names.map((name) => {
      const { repository, at } = parseReference(`${here.host}/a/b:${name}`);
      return { source: opened.source, repository, at, to: { repository, at } };
    });
    const platforms = [AMD64];
    await pull({ into, images, selection: { kind: 'some', platforms, index: 'sparse' } });
  };
  await copied('list');
  const first = await here.run('crpy', ['push', here.at('saved.tar'), `${here.host}/c/d:1`]);
  assert.equal(first.code, 0, first.error);
  assert.equal(here.registry.manifest('c/d', '1')?.digest, amd.manifest.digest);
  await copied('list', 'other');
  const second = await here.run('crpy', ['push', here.at('saved.tar'), `${here.host}/c/d:2`]);
  assert.equal(second.code, 0, second.error);
  assert.equal(here.registry.manifest('c/d', '2')?.digest, other.manifest.digest);
});

test('crpy tags, repositories and delete: every page, one a line', async () => {
  await using here = await world();
  const { manifest } = putImage(here.registry, 'a/b', 'v1', LAYERS);
  const tags = Array.from({ length: 2500 }, (_, index) => `t-${String(index).padStart(5, '0')}.x`);
  for (const tag of tags) here.registry.tag('a/b', tag, manifest.digest);
  putImage(here.registry, 'c/d', 'v1', LAYERS);
  const listed = await here.run('crpy', ['tags', `${here.host}/a/b`]);
  assert.equal(listed.out, [...tags, 'v1'].map((tag) => `${tag}\n`).join(''));
  const names = await here.run('crpy', ['repositories', here.host]);
  assert.equal(names.out, 'a/b\nc/d\n');
  const deleted = await here.run('crpy', ['delete', `${here.host}/a/b:v1`]);
  assert.deepEqual([deleted.code, deleted.out], [0, "b''\n"], deleted.error);
  assert.equal(here.registry.manifest('a/b', manifest.digest), undefined);
  assert.equal(here.registry.manifest('a/b', tags[0] ?? ''), undefined);
});

test('crpy login asks, checks, keeps; auth shows; logout forgets', async () => {
  await using here = await world({
    auth: { kind: 'bearer', username: 'me', password: 'secret-word' },
  });
  await mkdir(here.home);
  putImage(here.registry, 'a/b', 'v1', LAYERS);
  const wrong = await here.run('crpy', ['login', here.host, '-u', 'me', '-p', 'wrong']);
  assert.equal(wrong.code, 255);
  assert.match(wrong.error, /wrong user name or password/);
  const config = path.join(here.home, '.crpy', 'config.json');
  const typed = 'me\nsecret-word\n';
  const login = await here.run('crpy', ['login', `http://${here.host}`], { typed });
  assert.deepEqual([login.code, login.out], [0, ''], login.error);
  assert.match(login.error, /^Username: /);
  assert.ok(login.error.includes(`Creating cache directory: ${path.dirname(config)}/\n`));
  assert.ok(login.error.includes(`Authenticated at ${here.host}\n`));
  const auth = Buffer.from('me:secret-word').toString('base64');
  assert.equal(
    await readFile(config, 'utf8'),
    `${JSON.stringify({ auths: { [here.host]: { auth } } }, undefined, 2)}\n`,
  );
  assert.equal((await stat(config)).mode & 0o777, 0o600);
  assert.equal((await here.run('crpy', ['tags', `${here.host}/a/b`])).out, 'v1\n');
  assert.equal((await here.run('imgpull', [`${here.host}/a/b:v1`, '-mimage'])).code, 0);
  const hidden = await here.run('crpy', ['auth']);
  const width = here.host.length;
  assert.deepEqual(hidden.out.split('\n').slice(1), [
    `┏━━━━━━━┳━${'━'.repeat(width)}━┳━━━━━━━━━━┳━━━━━━━━━━┓`,
    `┃ Index ┃ Url${' '.repeat(width - 3)} ┃ Username ┃ Password ┃`,
    `┡━━━━━━━╇━${'━'.repeat(width)}━╇━━━━━━━━━━╇━━━━━━━━━━┩`,
    `│ 0     │ ${here.host} │ me       │ se***rd  │`,
    `└───────┴─${'─'.repeat(width)}─┴──────────┴──────────┘`,
    '',
  ]);
  assert.match(hidden.out, /^ +Saved credentials +\n/);
  const shown = await here.run('crpy', ['auth', '-s']);
  assert.ok(shown.out.includes('│ secret-word │'));
  const logout = await here.run('crpy', ['logout', here.host]);
  assert.deepEqual([logout.code, logout.out], [0, `Removed credentials for ${here.host}\n`]);
  assert.deepEqual(JSON.parse(await readFile(config, 'utf8')), { auths: {} });
});

test('crpy logout without a registry means Hub', async () => {
  await using here = await world();
  const file = path.join(here.home, '.crpy', 'config.json');
  await mkdir(path.dirname(file), { recursive: true });
  const other = { 'ghcr.io': { auth: 'eDp5' } };
  await writeFile(
    file,
    JSON.stringify({ auths: { 'index.docker.io': { auth: 'eDp5' }, ...other } }),
  );
  const { code, out } = await here.run('crpy', ['logout']);
  assert.deepEqual([code, out], [0, 'Removed credentials for index.docker.io\n']);
  assert.deepEqual(JSON.parse(await readFile(file, 'utf8')), { auths: other });
});

test('crpy resolve shows every endpoint in a table, redirects too', async () => {
  await using here = await world({ auth: { kind: 'bearer' } });
  putImage(here.registry, 'a/b', 'v1', LAYERS.slice(0, 1));
  here.registry.misbehave({ path: /blobs/ }, { kind: 'signed-redirect', uses: 5 });
  const url = `http://${here.host}/a/b:v1`;
  const { code, out, error } = await here.run('crpy', ['resolve', url, '-4']);
  assert.equal(code, 0, error);
  const lines = out.split('\n');
  assert.ok(lines[0]?.trimEnd().endsWith(`Endpoints for ${url}`));
  const roles = new Set(
    lines.map((line) => /^│ (\S+(?: \(redirect\))?) +│ 127\.0\.0\.[12] +│ http/.exec(line)?.[1]),
  );
  assert.match(lines[4] ?? '', /^│ auth /);
  assert.ok(roles.has('manifest'), out);
  assert.equal(error, `Authenticated at ${here.host}/a/b:v1\n`);
  assert.ok(roles.has('config (redirect)') && roles.has('layer-0 (redirect)'), out);
  const both = await here.run('crpy', ['resolve', url, '-4', '-6']);
  assert.deepEqual(
    [both.code, both.error.split('\n').at(-2)],
    [2, 'crpy resolve: error: argument -6: not allowed with argument -4'],
  );
});

test('crpy -k does not check certificates, and -p goes through a proxy', async () => {
  const { certificateAuthority } = await import('../../fixtures/certificate.ts');
  await using here = await world({ tls: certificateAuthority().issue('127.0.0.1') });
  putImage(here.registry, 'a/b', 'v1', LAYERS);
  const url = `${here.host}/a/b`;
  assert.equal((await here.run('crpy', ['tags', url])).code, 255);
  assert.equal((await here.run('crpy', ['-k', 'tags', url])).out, 'v1\n');
  const nowhere = await here.run('crpy', ['-k', '-p', 'http://127.0.0.1:9', 'tags', url]);
  assert.equal(nowhere.code, 255);
});

test('crpy: no command shows the help, a wrong one ends with 2', async () => {
  await using here = await world();
  const help = await here.run('crpy', []);
  assert.deepEqual([help.code, help.error], [0, '']);
  const commands =
    'pull push login logout auth manifest config commands layer repositories tags delete';
  for (const command of commands.split(' ')) {
    assert.match(help.out, new RegExp(`^ {4}${command} {2,}\\S`, 'm'));
    const own = await here.run('crpy', [command, '-h']);
    assert.ok(own.out.startsWith(`usage: crpy ${command} [-h]`));
  }
  const wrong = await here.run('crpy', ['fetch']);
  assert.equal(wrong.code, 2);
  assert.match(wrong.error, /crpy: error: argument \{pull,.*\}: invalid choice: 'fetch'/);
  const version = await here.run('crpy', ['version']);
  assert.deepEqual([version.code, version.out], [0, '1.2.3\n']);
});

test('crpy: what went wrong is red where somebody watches', async () => {
  await using here = await world();
  const line = ['tags', 'ghcr.io'];
  const watched = await here.run('crpy', line, { watched: 'yes' });
  assert.ok(watched.error.startsWith('\u001b[31mRepository must '));
  assert.ok(watched.error.endsWith('\u001b[0m\n'));
  const plain = await here.run('crpy', line, { watched: 'yes', environment: { NO_COLOR: '1' } });
  assert.match(plain.error, /^Repository must /);
});

test('crpy: an interruption leaves no file', async () => {
  await using here = await world();
  const { layers } = putImage(here.registry, 'a/b', 'v1', [pattern(200_000)]);
  const blob = { path: new RegExp(layers[0]?.digest ?? '') };
  here.registry.misbehave(blob, { kind: 'slow', bytesPerSecond: 1000 });
  const signals = new EventEmitter();
  const running = here.run('crpy', ['pull', `${here.host}/a/b:v1`, here.at('x')], { signals });
  await here.registry.seen(blob);
  signals.emit('SIGINT');
  assert.equal((await running).code, 130);
  assert.deepEqual(await readdir(here.at('.')), ['home']);
});

test('a table as rich draws it', () => {
  const table = richTable({
    title: 'Title',
    head: ['A', 'Name'],
    rows: [
      ['1', 'x'],
      ['22', 'yy'],
    ],
    lines: 'between',
  });
  assert.equal(
    table,
    [
      '    Title    ',
      '┏━━━━┳━━━━━━┓',
      '┃ A  ┃ Name ┃',
      '┡━━━━╇━━━━━━┩',
      '│ 1  │ x    │',
      '├────┼──────┤',
      '│ 22 │ yy   │',
      '└────┴──────┘',
      '',
    ].join('\n'),
  );
});
