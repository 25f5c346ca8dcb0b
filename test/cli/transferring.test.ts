import assert from 'node:assert/strict';
import { readFile, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { openPlace, readPlace } from '../../src/image/archive/open-place.ts';
import { parseLocation } from '../../src/image/location.ts';
import { formatReference } from '../../src/core/reference.ts';
import { pattern } from '../fixtures/collect.ts';
import { startRegistry, type Registry } from '../fixtures/registry.ts';
import { temporaryFolder } from '../fixtures/temporary.ts';
import { here, type Here } from './here.ts';
import { session } from './session.ts';

const BLOBS = { method: 'GET', path: /\/blobs\// };

async function world() {
  const registry = await startRegistry();
  const folder = await temporaryFolder();
  const app = registry.addImage('team/app', '1.2', {
    layers: [pattern(300_000), pattern(70_000, 2)],
  });
  const arm = registry.addImage('team/app', undefined, {
    layers: [pattern(100, 3)],
    config: { architecture: 'arm64' },
  });
  const index = registry.addIndex('team/app', 'multi', [
    { ...described(app.manifest), platform: { os: 'linux', architecture: 'amd64' } },
    { ...described(arm.manifest), platform: { os: 'linux', architecture: 'arm64' } },
  ]);
  const signature = registry.addImage('team/app', undefined, {
    layers: ['signed'],
    manifest: { artifactType: 'application/signature', subject: described(app.manifest) },
  }).manifest;
  const asked = (...line: readonly string[]): Promise<Here> =>
    here(line, { environment: { HOME: folder.path } });
  return {
    registry,
    file: (name: string) => path.join(folder.path, name),
    image: `${registry.host}/team/app`,
    app,
    arm,
    index,
    signature,
    asked,
    does: async (...line: readonly string[]): Promise<Here> => {
      const ran = await asked(...line);
      assert.equal(ran.code, 0, ran.error);
      return ran;
    },
    async [Symbol.asyncDispose]() {
      await folder[Symbol.asyncDispose]();
      await registry[Symbol.asyncDispose]();
    },
  };
}

function described({
  mediaType,
  digest,
  size,
}: {
  mediaType: string;
  digest: string;
  size: number;
}) {
  return { mediaType, digest, size };
}

/** What a place holds: names, and the digest of each. */
async function held(text: string): Promise<readonly (readonly [string, string])[]> {
  const place = parseLocation(text);
  assert.ok(place.kind !== 'registry');
  await using contents = await readPlace(place);
  return contents.images.flatMap(({ names, descriptor }) =>
    names.map(
      ({ repository, at }) => [formatReference(repository, at), descriptor.digest] as const,
    ),
  );
}

/** Whether the registry has all of an image. */
function whole(registry: Registry, repository: string, at: string): boolean {
  const manifest = registry.manifest(repository, at);
  if (manifest === undefined) return false;
  const {
    manifests = [],
    layers = [],
    config,
  } = JSON.parse(new TextDecoder().decode(manifest.bytes));
  return (
    manifests.every(({ digest }: { digest: string }) => whole(registry, repository, digest)) &&
    [...layers, ...(config ? [config] : [])].every(
      ({ digest }: { digest: string }) => registry.blob(repository, digest) !== undefined,
    )
  );
}

test('pull: an archive for docker, under the name that is asked for, and what it took', async () => {
  await using place = await world();
  const { image, app, file, does } = place;
  const tar = file('app.tar');
  const { out, error } = await does('pull', '-o', tar, `${image}:1.2`);
  assert.equal(out, '');
  assert.deepEqual(await held(`docker-archive:${tar}`), [[`${image}:1.2`, app.manifest.digest]]);
  const lines = error.trimEnd().split('\n');
  assert.equal(lines[0], `${image}:1.2: ${app.manifest.digest}`);
  const [base] = app.layers;
  assert.ok(lines.includes(`${base?.digest.slice(7, 19)}: 293 KiB done`), error);
  assert.equal(lines.at(-1), `saved ${image}:1.2 as ${tar}; 361 KiB: 361 KiB from the upstream`);
});

test('pull: a second one fetches no content, and says that it came from the cache', async () => {
  await using place = await world();
  const { registry, image, file, does } = place;
  await does('pull', '-o', file('a.tar'), `${image}:1.2`);
  const before = registry.count(BLOBS);
  const { error } = await does('pull', '-o', file('b.tar'), `${image}:1.2`);
  assert.equal(registry.count(BLOBS), before);
  assert.match(error, /; 361 KiB: 361 KiB from the cache\n$/);
  assert.deepEqual(await readFile(file('a.tar')), await readFile(file('b.tar')));
  await does('pull', '--no-cache', '-o', file('b.tar'), `${image}:1.2`);
  assert.equal(registry.count(BLOBS), before + 3);
  const own = ['--cache', file('elsewhere'), '-o', file('c.tar')];
  await does('pull', ...own, `${image}:1.2`);
  assert.ok((await stat(file('elsewhere'))).isDirectory());
});

for (const [status, words] of [
  ['layover; hit', /361 KiB from the mirror \(hit\)\n$/],
  ['layover; fwd=miss; stored', /361 KiB from the mirror \(filled\)\n$/],
] as const) {
  test(`pull: what a mirror says is told: ${status}`, async () => {
    await using place = await world();
    const { registry, image, file, does } = place;
    registry.misbehave({ path: /\/v2\// }, { kind: 'headers', set: { 'cache-status': status } });
    assert.match((await does('pull', '-o', file('a.tar'), `${image}:1.2`)).error, words);
  });
}

test('pull: through a mirror, by the name of the registry that is mirrored', async () => {
  await using place = await world();
  const { registry, image, app, file, does } = place;
  const tar = file('app.tar');
  const { out } = await does('pull', '--json', '--ns', 'quay.io', '-o', tar, `${image}:1.2`);
  assert.deepEqual(await held(`docker-archive:${tar}`), [
    ['quay.io/team/app:1.2', app.manifest.digest],
  ]);
  assert.ok(
    registry
      .matching({ path: /\/(manifests|blobs)\// })
      .every(({ path }) => path.includes('ns=quay.io')),
  );
  const { target, images, bytes } = JSON.parse(out);
  assert.equal(target, tar);
  assert.deepEqual(images, [{ name: 'quay.io/team/app:1.2', ...described(app.manifest) }]);
  assert.ok(bytes.upstream > 370_000 && bytes.cache === 0);
});

test('pull: several images into one archive, with what they share once', async () => {
  await using place = await world();
  const { registry, image, app, arm, file, does } = place;
  registry.addImage('other', 'x', { layers: [pattern(300_000)] });
  const tar = file('all.tar');
  const names = [`${image}:1.2`, `${registry.host}/other:x`];
  await does('pull', '-o', tar, ...names);
  assert.deepEqual(
    (await held(`docker-archive:${tar}`)).map(([name]) => name),
    names,
  );
  assert.equal(
    registry.count({ method: 'GET', path: new RegExp(`blobs/${app.layers[0]?.digest}`) }),
    1,
  );
  await does('pull', '--platform', 'linux/arm64', '-o', tar, `${image}:multi`);
  assert.deepEqual(await held(`docker-archive:${tar}`), [[`${image}:multi`, arm.manifest.digest]]);
});

test('pull: OCI layouts, with all platforms and with what refers to the image', async () => {
  await using place = await world();
  const { image, index, app, signature, file, does } = place;
  const format = (name: string) => ['--format', name, '-o', file(name)];
  await does('pull', ...format('oci'), '--all-platforms', `${image}:multi`);
  assert.deepEqual(await held(`oci:${file('oci')}`), [[`${image}:multi`, index.digest]]);
  await does('pull', ...format('oci'), '--referrers', `${image}:1.2`);
  assert.ok((await held(`oci:${file('oci')}`)).some(([name]) => name === `${image}:multi`));
  const at = { ...parseLocation(`oci:${file('oci')}:${image}:1.2`) };
  assert.ok(at.kind === 'oci');
  await using opened = await openPlace(at);
  const { items } = await opened.source.referrers(opened.repository, app.manifest.digest);
  assert.deepEqual(
    items.map(({ digest }) => digest),
    [signature.digest],
  );
  await does('pull', ...format('oci-archive'), '--all-platforms', `${image}:multi`);
  assert.deepEqual(await held(`oci-archive:${file('oci-archive')}`), [
    [`${image}:multi`, index.digest],
  ]);
});

test('pull: without a name the file is called after the image, in the folder where one is', async () => {
  await using place = await world();
  await using at = await session();
  const { image, arm } = place;
  assert.equal((await at.layover(['pull', `${image}:1.2`])).code, 0);
  assert.equal((await at.layover(['pull', `${image}@${arm.manifest.digest}`])).code, 0);
  assert.equal((await at.layover(['pull', '--format', 'oci', `${image}:multi`])).code, 0);
  const hex = arm.manifest.digest.slice('sha256:'.length, 19);
  assert.deepEqual(await at.files(), ['app-1.2.tar', `app-${hex}.tar`, 'app-multi'].toSorted());
});

test('push: an archive by its path; what is there is not sent', async () => {
  await using place = await world();
  const { registry, image, app, file, does } = place;
  await does('pull', '-o', file('app.tar'), `${image}:1.2`);
  const other = `${registry.host}/other/app:9`;
  const first = await does('push', file('app.tar'), other);
  assert.equal(registry.manifest('other/app', '9')?.digest, app.manifest.digest);
  assert.ok(whole(registry, 'other/app', '9'));
  assert.match(
    first.error,
    new RegExp(`pushed ${other}: ${app.manifest.digest}\n0 blobs sent, 3 mounted
$`),
  );
  const again = await does('push', '--json', `docker-archive:${file('app.tar')}`, other);
  assert.match(again.error, /\n0 blobs sent, 3 there already\n$/);
  assert.deepEqual(JSON.parse(again.out).images, [{ name: other, ...described(app.manifest) }]);
});

test('push: a layout with all platforms, or one of them', async () => {
  await using place = await world();
  const { registry, image, index, arm, file, does } = place;
  await does('pull', '--format', 'oci', '--all-platforms', '-o', file('oci'), `${image}:multi`);
  await does('push', file('oci'), `${registry.host}/copy:all`);
  assert.equal(registry.manifest('copy', 'all')?.digest, index.digest);
  assert.ok(whole(registry, 'copy', 'all'));
  const one = ['--platform', 'linux/arm64', `oci:${file('oci')}:multi`];
  await does('push', ...one, `${registry.host}/single:arm`);
  assert.equal(registry.manifest('single', 'arm')?.digest, arm.manifest.digest);
});

test('push: without a target every image goes by its own names', async () => {
  await using place = await world();
  const { registry, image, app, file, does, asked } = place;
  registry.addImage('other', 'x', { layers: ['x'] });
  await does('pull', '-o', file('all.tar'), `${image}:1.2`, `${registry.host}/other:x`);
  registry.untag('team/app', '1.2');
  registry.untag('other', 'x');
  const { error } = await does('push', file('all.tar'));
  assert.equal(registry.manifest('team/app', '1.2')?.digest, app.manifest.digest);
  assert.ok(registry.manifest('other', 'x'));
  assert.match(error, /pushed .*team\/app:1\.2: .*\npushed .*other:x: /);
  const several = await asked('push', file('all.tar'), `${registry.host}/one:1`);
  assert.equal(several.code, 1);
  assert.match(several.error, /several images; say which is meant.*team\/app:1\.2/);
});

test('copy: from registry to registry the index as it is, to an archive one image', async () => {
  await using place = await world();
  const { image, index, arm, app, signature, file, does } = place;
  await using other = await startRegistry();
  const { error } = await does('copy', `${image}:multi`, `${other.host}/mirrored/app:1`);
  assert.equal(other.manifest('mirrored/app', '1')?.digest, index.digest);
  assert.ok(whole(other, 'mirrored/app', '1'));
  assert.match(error, new RegExp(`copied to ${other.host}/mirrored/app:1; 5 blobs sent; `));
  await does('copy', '--platform', 'arm64', `${image}:multi`, `${other.host}/mirrored/app:arm`);
  assert.equal(other.manifest('mirrored/app', 'arm')?.digest, arm.manifest.digest);
  await does('copy', '--referrers', `${image}:1.2`, `${other.host}/signed:1`);
  assert.ok(whole(other, 'signed', signature.digest));
  const tar = `docker-archive:${file('app.tar')}:app:1`;
  await does('copy', '--platform', 'linux/arm64', `${image}:multi`, tar);
  assert.deepEqual(await held(`docker-archive:${file('app.tar')}`), [
    ['docker.io/library/app:1', arm.manifest.digest],
  ]);
  await does('copy', `${image}:1.2`, `oci:${file('oci')}:1.2`);
  assert.deepEqual(
    (await held(`oci:${file('oci')}`)).map(([, digest]) => digest),
    [app.manifest.digest],
  );
});

test('login checks and keeps; auth shows; what follows uses it; logout forgets', async () => {
  await using folder = await temporaryFolder();
  await using registry = await startRegistry({
    auth: { kind: 'bearer', username: 'me', password: 'it' },
  });
  registry.addImage('team/app', '1', { layers: ['x'] });
  const { host } = registry;
  const environment = { HOME: folder.path };
  const asked = (line: string[], stdin = '') => here(line, { environment, stdin });
  const file = path.join(folder.path, '.docker/config.json');
  assert.equal((await asked(['tags', `${host}/team/app`])).code, 1);
  const typed = await asked(['login', host], 'me\nit\n');
  assert.deepEqual([typed.code, typed.out], [0, '']);
  assert.match(
    typed.error,
    new RegExp(`^Username: .*logged in to ${host} as me; kept in ${file}\n$`, 's'),
  );
  assert.equal((await asked(['tags', `${host}/team/app`])).out, '1\n');
  assert.match((await asked(['auth'])).out, new RegExp(`^REGISTRY .*\n${host} +me +${file}\n$`));
  assert.ok(!(await asked(['auth', '--json'])).out.includes('secret'));
  const shown = JSON.parse((await asked(['auth', '--json', '--show-passwords'])).out);
  assert.deepEqual(shown, [{ registry: host, username: 'me', place: file, secret: 'it' }]);
  const out = await asked(['logout', host]);
  assert.equal(out.error, `logged out of ${host}, in ${file}\n`);
  assert.equal((await asked(['tags', `${host}/team/app`])).code, 1);
  assert.deepEqual(await asked(['auth']).then(({ out, error }) => [out, error]), [
    '',
    'there are no logins\n',
  ]);
  const piped = await asked(['login', '-q', '-u', 'me', '--password-stdin', host], 'it\n');
  assert.deepEqual([piped.code, piped.error], [0, '']);
  const given = ['--user', 'me', '--password-stdin'];
  await writeFile(file, '{}');
  assert.equal((await asked(['tags', ...given, `${host}/team/app`], 'it\r\n')).out, '1\n');
  assert.equal(await readFile(file, 'utf8'), '{}');
});
