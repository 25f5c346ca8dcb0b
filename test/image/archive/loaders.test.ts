import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { test } from 'node:test';
import { gunzipSync, gzipSync, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { digestOf } from '../../../src/core/digest.ts';
import { parseTag } from '../../../src/core/reference.ts';
import { openSink, type SinkOptions } from '../../../src/image/archive/open-sink.ts';
import { pattern } from '../../fixtures/collect.ts';
import { buildImage, type BuiltImage } from '../../fixtures/image-builder.ts';
import { file, tarOf } from '../../fixtures/layer-builder.ts';
import { temporaryFolder } from '../../fixtures/temporary.ts';
import { NAME, placeOf, writeImage } from './written.ts';

/** What lies in an archive: regular files by name, as the headers have it, and what is none. */
interface Unpacked {
  readonly names: readonly string[];
  /** The letter of each one's type, as `tar tv` has it. */
  readonly kinds: readonly string[];
  read(name: string): Buffer;
  has(name: string): boolean;
}

interface DockerLine {
  readonly Config: string;
  readonly RepoTags: readonly string[] | null;
  readonly Layers: readonly string[];
}

interface Described {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly annotations?: Readonly<Record<string, string>>;
}

const BYTES = 20 * 1024 * 1024;

function unpacked(archive: string): Unpacked {
  const list = (flag: string): readonly string[] =>
    execFileSync('tar', [flag, archive], { encoding: 'utf8' }).trim().split('\n');
  const names = list('tPf');
  const clean = new Map(names.map((name) => [path.posix.normalize(name), name]));
  return {
    names,
    kinds: list('tPvf').map((line) => line[0] ?? ''),
    has: (name) => clean.has(name),
    read: (name) =>
      execFileSync('tar', ['xPOf', archive, clean.get(name) ?? ''], { maxBuffer: BYTES }),
  };
}

/** An image as builders make them: the config lists the layers as they are unpacked. */
function imageOf(seed: number, packing: 'gzip' | 'zstd' | 'none'): BuiltImage {
  const tars = [
    tarOf([file('etc/large', pattern(300_000, seed))]),
    tarOf([file(`etc/small-${seed}`, 'x')]),
  ];
  const packed = { gzip: gzipSync, zstd: zstdCompressSync, none: (tar: Buffer) => tar }[packing];
  return buildImage(
    tars.map((tar) => packed(tar)),
    { packing, config: { rootfs: { type: 'layers', diff_ids: tars.map((tar) => digestOf(tar)) } } },
  );
}

function plain(bytes: Buffer): Buffer {
  if (bytes.readUInt16BE(0) === 0x1f8b) return gunzipSync(bytes);
  return bytes.readUInt32LE(0) === 0xfd2fb528 ? zstdDecompressSync(bytes) : bytes;
}

function linesOf(archive: Unpacked): readonly DockerLine[] {
  return JSON.parse(archive.read('manifest.json').toString()) as readonly DockerLine[];
}

/** What the engine's own loader demands, which goes by `manifest.json` alone since version 1.10. */
const ENGINE: Readonly<Record<string, (archive: Unpacked) => void>> = {
  'regular files only, none outside': ({ names, kinds }) => {
    assert.deepEqual([...new Set(kinds)], ['-']);
    for (const name of names) assert.doesNotMatch(name, /^\/|(?:^|\/)\.\.(?:\/|$)/);
    assert.equal(new Set(names).size, names.length, 'a name comes twice');
  },
  'manifest.json is a list, not null, and short': (archive) => {
    assert.ok(linesOf(archive).length > 0);
    assert.ok(archive.read('manifest.json').length < BYTES);
  },
  'each Config is there, with a root file system and an operating system': (archive) => {
    for (const { Config } of linesOf(archive)) {
      const config = JSON.parse(archive.read(Config).toString()) as Record<string, unknown>;
      assert.equal(config['os'], 'linux');
      assert.equal(typeof config['rootfs'], 'object');
    }
  },
  'as many Layers as diff_ids, each what it says when it is unpacked': (archive) => {
    for (const { Config, Layers } of linesOf(archive)) {
      const { rootfs } = JSON.parse(archive.read(Config).toString()) as {
        rootfs: { diff_ids: readonly string[] };
      };
      const diffs = Layers.map((name) => digestOf(plain(archive.read(name))));
      assert.deepEqual(diffs, rootfs.diff_ids);
    }
  },
  'each of RepoTags has a tag and no digest': (archive) => {
    for (const { RepoTags } of linesOf(archive))
      for (const name of RepoTags ?? []) assert.match(name, /^[a-z0-9./:-]+\/[a-z0-9/]+:[\w.-]+$/);
  },
};

/** What containerd's importer demands of a list of docker's, where there is no layout. */
const BY_NAME: Readonly<Record<string, (archive: Unpacked) => void>> = {
  'what is named is called so, without ./': (archive) => {
    for (const { Config, Layers } of linesOf(archive))
      for (const name of [Config, ...Layers]) {
        assert.equal(name, path.posix.normalize(name));
        assert.ok(archive.has(name), name);
      }
  },
};

/** And of a layout, which it prefers: engines with containerd's store take that way since version 25. */
const LAYOUT: Readonly<Record<string, (archive: Unpacked) => void>> = {
  'the marker of version 1.0.0, and an index': (archive) => {
    assert.deepEqual(JSON.parse(archive.read('oci-layout').toString()), {
      imageLayoutVersion: '1.0.0',
    });
    assert.ok(archive.read('index.json').length < BYTES);
  },
  'everything that is listed is there, as large as it says': (archive) => {
    const index = JSON.parse(archive.read('index.json').toString()) as {
      manifests: readonly Described[];
    };
    assert.ok(index.manifests.length > 0);
    for (const listed of index.manifests) {
      const manifest = JSON.parse(blob(archive, listed).toString()) as {
        config: Described;
        layers: readonly Described[];
      };
      for (const one of [manifest.config, ...manifest.layers]) blob(archive, one);
    }
  },
  'names are whole, or there is none': (archive) => {
    const index = JSON.parse(archive.read('index.json').toString()) as {
      manifests: readonly Described[];
    };
    for (const { annotations = {} } of index.manifests) {
      const { 'io.containerd.image.name': name, 'org.opencontainers.image.ref.name': tag } =
        annotations;
      assert.equal(name === undefined, tag === undefined);
      if (name !== undefined) assert.match(name, /^[a-z0-9.]+(?::\d+)?\/[a-z0-9/]+:[\w.-]+$/);
      if (name !== undefined) assert.ok(name.endsWith(`:${tag}`));
    }
  },
};

function blob(archive: Unpacked, { digest, size }: Described): Buffer {
  const bytes = archive.read(`blobs/${digest.replace(':', '/')}`);
  assert.deepEqual([digestOf(bytes), bytes.length], [digest, size]);
  return bytes;
}

interface Written {
  readonly what: string;
  readonly kind: 'docker-archive' | 'oci-archive';
  readonly options?: SinkOptions;
  readonly images?: readonly BuiltImage[];
  readonly named?: 'by-tag' | 'by-digest';
  readonly demands: readonly Readonly<Record<string, (archive: Unpacked) => void>>[];
}

const gzipped = [imageOf(1, 'gzip')];
const ARCHIVES: readonly Written[] = [
  { what: 'docker', kind: 'docker-archive', demands: [ENGINE, BY_NAME, LAYOUT] },
  {
    what: 'docker, by digest',
    kind: 'docker-archive',
    named: 'by-digest',
    demands: [ENGINE, BY_NAME, LAYOUT],
  },
  {
    what: 'docker, layers that are not packed',
    kind: 'docker-archive',
    images: [imageOf(2, 'none')],
    demands: [ENGINE, BY_NAME, LAYOUT],
  },
  {
    what: 'docker, zstd',
    kind: 'docker-archive',
    images: [imageOf(3, 'zstd')],
    demands: [ENGINE, BY_NAME, LAYOUT],
  },
  {
    what: 'docker, several images that share a layer',
    kind: 'docker-archive',
    images: [imageOf(4, 'gzip'), imageOf(5, 'gzip'), imageOf(4, 'gzip')],
    demands: [ENGINE, BY_NAME, LAYOUT],
  },
  { what: 'oci', kind: 'oci-archive', demands: [LAYOUT] },
  { what: 'oci, by digest', kind: 'oci-archive', named: 'by-digest', demands: [LAYOUT] },
  {
    what: 'crpy',
    kind: 'docker-archive',
    options: { layout: 'crpy' },
    demands: [ENGINE, BY_NAME],
  },
];

for (const { what, kind, images = gzipped, named = 'by-tag', demands, options } of ARCHIVES) {
  test(`what docker load demands is met by ${what}`, async (t) => {
    await using folder = await temporaryFolder();
    const archive = path.join(folder.path, 'x.tar');
    await using opened = await openSink(placeOf(`${kind}:${archive}`), { name: NAME, ...options });
    const { repository } = opened;
    for (const [index, image] of images.entries()) {
      const at = named === 'by-tag' ? parseTag(`v${index}`) : image.manifest.descriptor.digest;
      await writeImage(opened.sink, { repository, at }, image);
    }
    await opened.commit();
    const written = unpacked(archive);
    for (const [demand, holds] of demands.flatMap((one) => Object.entries(one))) {
      await t.test(demand, () => holds(written));
    }
  });
}
