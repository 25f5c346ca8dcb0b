import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { digestOf } from '../../src/core/digest.ts';
import { parseTag } from '../../src/core/reference.ts';
import { pattern } from '../fixtures/collect.ts';
import { world as mirrorWorld } from '../fixtures/mirror-world.ts';
import type { StoredManifest } from '../fixtures/registry-catalog.ts';
import { startRegistry } from '../fixtures/registry.ts';
import { temporaryFolder } from '../fixtures/temporary.ts';
import { here, printing, type Here } from './here.ts';

const HISTORY = [
  { created: '2024-01-02T03:04:05Z', created_by: '/bin/sh -c #(nop)  ADD file:abc in /' },
  { created_by: 'ENV  A=b', empty_layer: true },
  { created_by: 'RUN \u001b[31mmake\n  all' },
];

const entry = (image: StoredManifest, platform: object) => {
  const { mediaType, digest, size } = image;
  return { mediaType, digest, size, platform };
};

/** A registry with an image, an index and what refers to the image, and somebody who asks for them. */
async function world() {
  const registry = await startRegistry();
  const folder = await temporaryFolder();
  const app = registry.addImage('team/app', '1.2', {
    layers: [pattern(300_000), pattern(2_000, 2)],
    config: { history: HISTORY },
  });
  const arm = registry.addImage('team/app', undefined, {
    layers: ['arm'],
    config: { architecture: 'arm64' },
  });
  const index = registry.addIndex('team/app', 'multi', [
    entry(app.manifest, { os: 'linux', architecture: 'amd64' }),
    entry(arm.manifest, { os: 'linux', architecture: 'arm64', variant: 'v8' }),
  ]);
  const refer = (subject: StoredManifest, artifactType: string) =>
    registry.addImage('team/app', undefined, {
      layers: [artifactType],
      manifest: { artifactType, subject: entry(subject, {}) },
    }).manifest;
  const signature = refer(app.manifest, 'application/signature');
  const bill = refer(app.manifest, 'application/spdx+json');
  const approval = refer(bill, 'application/signature');
  const asked = (...line: readonly string[]): Promise<Here> =>
    here(line, { environment: { HOME: folder.path } });
  return {
    registry,
    folder: folder.path,
    image: `${registry.host}/team/app`,
    app,
    arm,
    index,
    signature,
    bill,
    approval,
    asked,
    prints: printing(asked),
    async [Symbol.asyncDispose]() {
      await folder[Symbol.asyncDispose]();
      await registry[Symbol.asyncDispose]();
    },
  };
}

test('tags and repositories, of registries and of places', async () => {
  await using place = await world();
  const { registry, image, folder, prints } = place;
  registry.addImage('other', '1');
  assert.equal(await prints('tags', image), '1.2\nmulti\n');
  assert.equal(await prints('tags', '--json', image), '["1.2","multi"]\n');
  assert.equal(await prints('repos', registry.host), 'other\nteam/app\n');
  assert.equal(await prints('repos', '--json', registry.host), '["other","team/app"]\n');
  const target = path.join(folder, 'oci');
  await prints('pull', '--format', 'oci', '-o', target, `${image}:1.2`, `${registry.host}/other:1`);
  assert.equal(await prints('tags', `oci:${target}`), '1\n1.2\n');
  assert.equal(await prints('tags', `oci:${target}:${image}:1.2`), '1.2\n');
  assert.equal(await prints('repos', `oci:${target}`), `${registry.host}/other\n${image}\n`);
});

test('a mirror’s store answers like a registry', async () => {
  await using mirrored = await mirrorWorld();
  const { manifest } = mirrored.registry.addImage('library/x', 'v1', { layers: ['content'] });
  const repository = { host: 'docker.io', path: 'library/x' };
  await mirrored.mirror.manifest(repository, parseTag('v1'));
  await mirrored.restart();
  const store = ['--store', mirrored.paths.root];
  const asked = (...line: string[]) => here(line, { environment: { HOME: '/nonexistent' } });
  assert.equal((await asked('repos', ...store)).out, 'docker.io/library/x\n');
  assert.equal((await asked('repos', ...store, 'quay.io')).out, '');
  assert.equal((await asked('tags', ...store, 'x')).out, 'v1\n');
  assert.equal((await asked('digest', ...store, 'x:v1')).out, `${manifest.digest}\n`);
});

test('a manifest is printed byte for byte, or to be read', async () => {
  await using place = await world();
  const { image, index, app, arm, prints, asked } = place;
  const raw = await asked('manifest', `${image}:multi`);
  assert.equal(digestOf(raw.data), index.digest);
  const one = await asked('manifest', '--platform', 'arm64', `${image}:multi`);
  assert.equal(digestOf(one.data), arm.manifest.digest);
  const pretty = await prints('manifest', '--json', `${image}:1.2`);
  assert.ok(pretty.startsWith('{\n  "schemaVersion": 2,\n'));
  assert.deepEqual(JSON.parse(pretty), JSON.parse(new TextDecoder().decode(app.manifest.bytes)));
  const [head, amd64, arm64, ...more] = (
    await prints('manifest', '--table', `${image}:multi`)
  ).split('\n');
  assert.match(head ?? '', /^PLATFORM +DIGEST +SIZE {2}TYPE$/);
  assert.match(
    amd64 ?? '',
    new RegExp(`^linux/amd64 +${app.manifest.digest} +\\d+ B {2}application/`),
  );
  assert.match(arm64 ?? '', new RegExp(`^linux/arm64/v8 +${arm.manifest.digest} `));
  assert.deepEqual(more, ['']);
  const parts = (await prints('manifest', '--table', `${image}:1.2`)).split('\n');
  assert.match(parts[1] ?? '', new RegExp(`^config +${app.config.digest} `));
  assert.match(parts[3] ?? '', new RegExp(`^1 +${app.layers[1]?.digest} +2\\.0 KiB `));
});

test('digests: of an index, of the image for a platform, of what lies on this disk', async () => {
  await using place = await world();
  const { registry, image, index, arm, app, folder, prints } = place;
  assert.equal(await prints('digest', `${image}:multi`), `${index.digest}\n`);
  assert.equal(registry.count({ method: 'GET', path: /manifests\/multi/ }), 0);
  assert.equal(
    await prints('digest', '--platform', 'linux/arm64', `${image}:multi`),
    `${arm.manifest.digest}\n`,
  );
  const { mediaType, digest, size } = app.manifest;
  assert.deepEqual(JSON.parse(await prints('digest', '--json', `${image}:1.2`)), {
    mediaType,
    digest,
    size,
  });
  const file = path.join(folder, 'app.tar');
  await prints('pull', '-o', file, `${image}:1.2`);
  assert.equal(await prints('digest', `docker-archive:${file}`), `${digest}\n`);
});

test('config and history of an image; what could steer a terminal is written out', async () => {
  await using place = await world();
  const { image, app, arm, prints, asked } = place;
  assert.equal(digestOf((await asked('config', `${image}:1.2`)).data), app.config.digest);
  const other = await asked('config', '--platform', 'linux/arm64', `${image}:multi`);
  assert.equal(digestOf(other.data), arm.config.digest);
  assert.deepEqual(JSON.parse(await prints('config', '--json', `${image}:1.2`)).history, HISTORY);
  const told = await asked('history', `${image}:1.2`);
  assert.equal(
    told.out,
    [
      'LAYER     SIZE  CREATED     STEP',
      '    0  293 KiB  2024-01-02  ADD file:abc in /',
      '    -        -  -           ENV A=b',
      '    1  2.0 KiB  -           RUN \\x1b[31mmake all',
      '',
    ].join('\n'),
  );
  assert.equal(told.error, '2 layers, 295 KiB\n');
  assert.equal((await asked('history', '-q', `${image}:1.2`)).error, '');
  const steps = JSON.parse(await prints('history', '--json', `${image}:1.2`));
  assert.equal(steps.length, 3);
  assert.deepEqual([steps[1].emptyLayer, steps[1].layer], [true, undefined]);
  const [, layer] = app.layers;
  assert.deepEqual(steps[2].layer, { index: 1, ...layer });
});

test('a layer: by number from either end, by digest, by how that begins; printed or saved', async () => {
  await using place = await world();
  const { image, app, folder, asked, prints } = place;
  const [base, top] = app.layers.map(({ digest }) => digest);
  const shown = async (...which: string[]) =>
    digestOf((await asked('layer', '-q', `${image}:1.2`, ...which)).data);
  assert.equal(await shown('0'), base);
  assert.equal(await shown('1'), top);
  assert.equal(await shown('-1'), top);
  assert.equal(await shown('--', '-2'), base);
  assert.equal(await shown(base ?? ''), base);
  assert.equal(await shown((base ?? '').slice(0, 20)), base);
  assert.equal(await shown((top ?? '').slice('sha256:'.length, 20)), top);
  for (const [which, says] of [
    ['2', /there is no layer 2: there is 0 /],
    ['-3', /there is no layer -3/],
    ['sha256:', /several layers begin with/],
    ['nonsense', /there is no layer nonsense/],
  ] as const) {
    const { code, out, error } = await asked('layer', `${image}:1.2`, '--', which);
    assert.match(error, says);
    assert.deepEqual([code, out], [2, '']);
  }
  const file = path.join(folder, 'layer');
  assert.equal(await prints('layer', '-o', file, `${image}:1.2`, '1'), '');
  assert.equal(digestOf(await readFile(file)), top);
});

test('referrers: all, of one type, as a tree, as JSON', async () => {
  await using place = await world();
  const { image, app, signature, bill, approval, asked, prints } = place;
  const digests = (text: string) => text.match(/sha256:[0-9a-f]{64}/g) ?? [];
  const all = await prints('referrers', `${image}:1.2`);
  assert.deepEqual(digests(all).toSorted(), [signature.digest, bill.digest].toSorted());
  assert.match(all, /^TYPE +DIGEST +SIZE {2}CREATED\n/);
  const spdx = ['--type', 'application/spdx+json'];
  assert.deepEqual(digests(await prints('referrers', ...spdx, `${image}:1.2`)), [bill.digest]);
  const platform = ['--platform', 'linux/amd64', `${image}:multi`];
  assert.equal(digests(await prints('referrers', ...platform)).length, 2);
  const tree = await prints('referrers', '--tree', ...spdx, `${image}:1.2`);
  assert.equal(
    tree,
    `${app.manifest.digest}\n└── application/spdx+json ${bill.digest}\n    └── application/signature ${approval.digest}\n`,
  );
  const found = JSON.parse(await prints('referrers', '--json', '--tree', ...spdx, `${image}:1.2`));
  assert.equal(found[0].referrers[0].digest, approval.digest);
  const none = await asked('referrers', `${image}:multi`);
  assert.deepEqual([none.code, none.out, none.error], [0, '', 'nothing refers to it\n']);
});

test('resolve tells every endpoint, with its addresses of either kind', async () => {
  await using place = await world();
  const { registry, image, arm, prints } = place;
  const line = ['resolve', '--platform', 'linux/arm64', `${image}:multi`];
  const rows = (await prints(...line))
    .trimEnd()
    .split('\n')
    .map((row) => row.split(/ {2,}/));
  assert.deepEqual(rows[0], ['ROLE', 'IPS', 'URL']);
  assert.deepEqual(
    rows.slice(1).map(([role, addresses]) => [role, addresses]),
    ['manifest', 'manifest', 'config', 'layer-0'].map((role) => [role, '127.0.0.1']),
  );
  assert.equal(rows.at(-1)?.[2], `${registry.url}/v2/team/app/blobs/${arm.layers[0]?.digest}`);
  const json = JSON.parse(await prints(...line, '--json', '-6'));
  assert.deepEqual([json[0].role, json[0].addresses, json[0].host], ['manifest', [], '127.0.0.1']);
});

test('delete takes the manifest with its tags, or the tag alone, and says which', async () => {
  await using place = await world();
  const { registry, image, app, asked } = place;
  registry.tag('team/app', 'same', app.manifest.digest);
  const tag = await asked('delete', '--tag', `${image}:same`);
  assert.deepEqual([tag.code, tag.out, tag.error], [0, '', `deleted the tag ${image}:same\n`]);
  assert.ok(registry.manifest('team/app', '1.2'));
  registry.misbehave(
    { method: 'DELETE', path: /manifests\/1\.2$/ },
    { kind: 'status', status: 405 },
  );
  const refused = await asked('delete', '--tag', `${image}:1.2`);
  assert.equal(refused.code, 1);
  assert.match(refused.error, /deletes no tags, only manifests/);
  assert.ok(registry.manifest('team/app', '1.2'));
  registry.tag('team/app', 'same', app.manifest.digest);
  const whole = await asked('delete', `${image}:1.2`);
  assert.equal(
    whole.error,
    `deleted ${image}@${app.manifest.digest}, which was ${image}:1.2, and its tags\n`,
  );
  assert.deepEqual(registry.tags('team/app'), ['multi']);
});
