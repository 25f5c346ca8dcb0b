import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { digestOf } from '../../src/core/digest.ts';
import { readPlace } from '../../src/image/archive/open-place.ts';
import { parseLocation } from '../../src/image/location.ts';
import { file, layerOf } from '../fixtures/layer-builder.ts';
import { startRegistry } from '../fixtures/registry.ts';
import { temporaryFolder } from '../fixtures/temporary.ts';
import { ran } from './compat/world.ts';
import { here, type Here } from './here.ts';

const WINDOWS = digestOf(Buffer.from('windows'));

async function world() {
  const registry = await startRegistry();
  const folder = await temporaryFolder();
  const own = layerOf([file('a', 'a')]);
  const plain = registry.addImage('team/app', 'plain', { layers: [own] });
  registry.addImage('team/app', 'windows', {
    layers: [own],
    manifest: {
      layers: [
        {
          mediaType: 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip',
          digest: WINDOWS,
          size: 7,
          urls: ['https://elsewhere.test/layer'],
        },
        ...plain.layers,
      ],
    },
  });
  registry.addImage('team/app', 'chart', {
    layers: ['the content'],
    manifest: {
      artifactType: 'application/x-notes',
      config: {
        mediaType: 'application/vnd.oci.empty.v1+json',
        digest: digestOf(Buffer.from('{}')),
        size: 2,
      },
      layers: [
        {
          mediaType: 'text/plain',
          digest: digestOf(Buffer.from('the content')),
          size: 'the content'.length,
        },
      ],
    },
  });
  registry.addBlob('{}');
  registry.addBlob('the content');
  return {
    registry,
    folder: folder.path,
    file: (name: string) => path.join(folder.path, name),
    image: (tag: string) => `${registry.host}/team/app:${tag}`,
    asked: (...line: readonly string[]): Promise<Here> =>
      here(line, { environment: { HOME: folder.path, XDG_CACHE_HOME: `${folder.path}/.cache` } }),
    /** Another tool's own line. */
    ran: (name: string, line: readonly string[]) => ran(name, line, folder.path),
    archives: async () => (await readdir(folder.path)).filter((name) => !name.startsWith('.')),
    async [Symbol.asyncDispose]() {
      await folder[Symbol.asyncDispose]();
      await registry[Symbol.asyncDispose]();
    },
  };
}

const CONTENT = { method: 'GET', path: /\/blobs\// };

for (const [tool, line] of [
  ['layover', ['pull', '-q', '-o', 'FILE', 'IMAGE']],
  ['imgpull', ['IMAGE', 'FILE']],
  ['crpy', ['pull', 'IMAGE', 'FILE']],
  ['layover', ['copy', '-q', 'IMAGE', 'docker-archive:FILE']],
] as const) {
  const lineOf = (image: string, file: string): readonly string[] =>
    line.map((word) => word.replace('IMAGE', image).replace('FILE', file));
  const runs = ({ asked, ran }: Awaited<ReturnType<typeof world>>, words: readonly string[]) =>
    tool === 'layover' ? asked(...words) : ran(tool, words);

  test(`${[tool, ...line].join(' ')}: a layer that is kept elsewhere, in one line`, async () => {
    await using place = await world();
    const { archives, image, file } = place;
    const { code, out, error: told } = await runs(place, lineOf(image('windows'), file('x.tar')));
    assert.notEqual(code, 0);
    // imgpull's errors go there.
    const error = told === '' ? out : told;
    const last = error.trimEnd().split('\n').at(-1) ?? '';
    assert.match(last, /a docker archive needs every layer/);
    assert.ok(last.includes(WINDOWS), last);
    assert.match(last, /kept elsewhere/);
    assert.doesNotMatch(error, /not written whole|left out/);
    assert.deepEqual(await archives(), []);
  });

  test(`${[tool, ...line].join(' ')}: an artifact is no image, which is told before it is fetched`, async () => {
    await using place = await world();
    const { archives, image, file, registry } = place;
    const { code, out, error } = await runs(place, lineOf(image('chart'), file('x.tar')));
    assert.notEqual(code, 0);
    assert.match(`${out}${error}`, /an artifact of type application\/x-notes, not an image/);
    assert.equal(registry.matching(CONTENT).length, 0);
    assert.deepEqual(await archives(), []);
  });
}

test('pull says which format has a place for them, and it has', async () => {
  await using place = await world();
  const { asked, image, file } = place;
  for (const tag of ['windows', 'chart']) {
    const { error } = await asked('pull', '-o', file('x.tar'), image(tag));
    assert.match(error, /: --format oci or oci-archive\n$/);
    for (const format of ['oci', 'oci-archive'] as const) {
      const target = file(`${tag}-${format}`);
      const line = ['pull', '--format', format, '-o', target, image(tag)];
      const { code, error: said } = await asked(...line);
      assert.equal(code, 0, said);
      const location = parseLocation(`${format}:${target}`);
      assert.ok(location.kind !== 'registry');
      assert.equal((await readPlace(location)).images.length, 1);
    }
  }
});

test('a foreign layer that the registry has is a layer like any other', async () => {
  await using place = await world();
  place.registry.addBlob('windows');
  const { code, error } = await place.asked(
    'pull',
    '-o',
    place.file('x.tar'),
    place.image('windows'),
  );
  assert.equal(code, 0, error);
  assert.deepEqual(await place.archives(), ['x.tar']);
});

test('what is looked into says what it is', async () => {
  await using place = await world();
  const { asked, image } = place;
  const windows = await asked('ls', '--layer', '0', image('windows'));
  assert.equal(windows.code, 1);
  assert.match(windows.error, /^layover: layer 0 \(sha256:\w+\) is kept elsewhere, /);
  const chart = await asked('ls', image('chart'));
  assert.equal(chart.code, 1);
  assert.match(chart.error, /^layover: layer 0 \(sha256:\w+\): .*it is of type text\/plain\n$/);
});
