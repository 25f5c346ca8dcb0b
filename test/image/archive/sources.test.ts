import { execFileSync } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import type { Descriptor } from '../../../src/core/descriptor.ts';
import { digestOf, hexOf } from '../../../src/core/digest.ts';
import { openPlace } from '../../../src/image/archive/open-place.ts';
import { formatReference } from '../../../src/core/reference.ts';
import { openStore } from '../../../src/image/store-source.ts';
import { diskLinks } from '../../../src/store/links.ts';
import { Paths } from '../../../src/store/paths.ts';
import { diskStore } from '../../../src/store/disk.ts';
import { confirmed, diskTags } from '../../../src/store/tags.ts';
import { collect } from '../../fixtures/collect.ts';
import { file, symlink, tarOf } from '../../fixtures/layer-builder.ts';
import { temporaryFolder } from '../../fixtures/temporary.ts';
import { sourceContract } from './source-contract.ts';
import { byHand, damage, image, NAME, placeOf, writeTo } from './written.ts';

const layouts: readonly (readonly [what: string, place: string, layout?: 'imgpull' | 'crpy'])[] = [
  ['a docker archive', 'docker-archive:FOLDER/app.tar'],
  ['an OCI layout', 'oci:FOLDER/app'],
  ['an OCI archive', 'oci-archive:FOLDER/app.tar'],
  ['an archive of imgpull', 'docker-archive:FOLDER/app.tar', 'imgpull'],
  ['an archive of crpy', 'docker-archive:FOLDER/app.tar', 'crpy'],
];

for (const [what, place, layout] of layouts) {
  sourceContract(what, async (use) => {
    await using folder = await temporaryFolder();
    const built = image();
    const text = place.replace('FOLDER', folder.path);
    await writeTo(text, built, layout === undefined ? {} : { layout });
    await using opened = await openPlace(placeOf(text));
    await use({
      opened,
      damage: async (descriptor) => damage(folder.path, descriptor, await contentOf(descriptor)),
    });

    async function contentOf({ digest }: Descriptor): Promise<Buffer> {
      await using blob = await built.source.blob(built.repository, digest);
      return collect(blob.body);
    }
  });
}

const parts = byHand();
const config = Buffer.from(
  JSON.stringify({
    architecture: 'amd64',
    os: 'linux',
    rootfs: { type: 'layers', diff_ids: parts.layers.map((layer) => digestOf(layer)) },
  }),
);
const hex = hexOf(digestOf(config));
const names = [formatReference(NAME.repository, NAME.at)];
const [base, top] = parts.layers as [Buffer, Buffer];

/** What other tools write, file by file. */
const archives: readonly (readonly [what: string, tar: Buffer])[] = [
  [
    'docker save before 25',
    tarOf([
      file(`${hex}.json`, config),
      file('aaaa/VERSION', '1.0'),
      file('aaaa/json', '{}'),
      file('aaaa/layer.tar', base),
      file('bbbb/layer.tar', top),
      file(
        'manifest.json',
        JSON.stringify([
          { Config: `${hex}.json`, RepoTags: names, Layers: ['aaaa/layer.tar', 'bbbb/layer.tar'] },
        ]),
      ),
      file('repositories', '{}'),
    ]),
  ],
  [
    'podman and skopeo, with links to layers',
    tarOf([
      file(`${hexOf(digestOf(base))}.tar`, base),
      symlink('aaaa/layer.tar', `../${hexOf(digestOf(base))}.tar`),
      file(`${hexOf(digestOf(top))}.tar`, top),
      { name: 'bbbb/layer.tar', flag: '1', link: `${hexOf(digestOf(top))}.tar` },
      file(`${hex}.json`, config),
      file(
        'manifest.json',
        JSON.stringify([
          { Config: `${hex}.json`, RepoTags: names, Layers: ['aaaa/layer.tar', 'bbbb/layer.tar'] },
        ]),
      ),
    ]),
  ],
  [
    'a tar of a folder',
    tarOf([
      file(`./${hex}.json`, config),
      file('./a/layer.tar', base),
      file('./b/layer.tar', top),
      file(
        './manifest.json',
        JSON.stringify([
          { Config: `${hex}.json`, RepoTags: names, Layers: ['a/layer.tar', './b/layer.tar'] },
        ]),
      ),
    ]),
  ],
];

for (const [what, tar] of archives) {
  sourceContract(what, async (use) => {
    await using folder = await temporaryFolder();
    const name = path.join(folder.path, 'app.tar');
    await writeFile(name, tar);
    await using opened = await openPlace(placeOf(`docker-archive:${name}`));
    await use({
      opened,
      damage: (descriptor) =>
        damage(folder.path, descriptor, descriptor.size === base.length ? base : top),
    });
  });
}

for (const [packing, pack] of [
  ['gzip', gzipSync],
  ['zstd', zstdCompressSync],
] as const) {
  sourceContract(`an archive compressed with ${packing}`, async (use) => {
    await using folder = await temporaryFolder();
    const name = path.join(folder.path, 'app.tar');
    const [, tar] = archives[0] ?? [];
    if (tar === undefined) throw new Error('no archive');
    const opening = async (bytes: Buffer) => {
      await writeFile(name, pack(bytes));
      return openPlace(placeOf(`docker-archive:${name}`));
    };
    await using whole = await opening(tar);
    const wrong = Buffer.from(tar);
    wrong[tar.indexOf(base) + 2000] = 1;
    await using damaged = await opening(wrong);
    let { source } = whole;
    await use({
      opened: {
        ...whole,
        get source() {
          return source;
        },
        async [Symbol.asyncDispose]() {},
      },
      damage: async () => {
        source = damaged.source;
      },
    });
  });
}

sourceContract('the store of a mirror', async (use) => {
  await using folder = await temporaryFolder();
  const paths = new Paths(folder.path);
  const built = image();
  const store = await diskStore({ paths });
  const links = diskLinks(paths);
  for (const { digest, size } of [built.config, ...built.layers, built.manifest.descriptor]) {
    await using ingest = await store.ingest(digest);
    await ingest.expect(size);
    if (digest === built.manifest.descriptor.digest) await ingest.write(built.manifest.bytes);
    else {
      await using blob = await built.source.blob(built.repository, digest);
      for await (const chunk of blob.body) await ingest.write(chunk);
    }
    await ingest.commit();
    await links.set(NAME.repository, digest, { size });
  }
  if (NAME.at.includes(':')) throw new Error('not a tag');
  await diskTags(paths).set(
    NAME.repository,
    NAME.at as Parameters<ReturnType<typeof diskTags>['set']>[1],
    confirmed(undefined, built.manifest.descriptor, 1),
  );
  await using opened = await openStore(folder.path, NAME);
  const before = tree(folder.path);
  let changed = false;
  await use({
    opened,
    damage: async ({ digest }) => {
      changed = true;
      const bytes = await readFile(paths.blob(digest));
      bytes[500] = (bytes[500] ?? 0) ^ 1;
      execFileSync('chmod', ['u+w', paths.blob(digest)]);
      await writeFile(paths.blob(digest), bytes);
    },
  });
  if (!changed && tree(folder.path) !== before) throw new Error('reading changed the store');
});

function tree(folder: string): string {
  return execFileSync('find', [folder, '-printf', '%p %s %m %T@\n'], { encoding: 'utf8' });
}
