import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { openAlone } from '../../../src/compose/alone.ts';
import { openHosted } from '../../../src/compose/hosted.ts';
import { shelfOf } from '../../../src/compose/shelf.ts';
import type { OpenStore } from '../../../src/compose/store.ts';
import type { Config } from '../../../src/config/config.ts';
import { load } from '../../../src/config/load.ts';
import type { Descriptor } from '../../../src/core/descriptor.ts';
import type { Digest } from '../../../src/core/digest.ts';
import { parseImagePattern } from '../../../src/core/image-pattern.ts';
import { MEDIA_TYPES } from '../../../src/core/media-type.ts';
import { parseTag, type Repository } from '../../../src/core/reference.ts';
import { exportBundle, type ExportOptions } from '../../../src/image/bundle/export.ts';
import { importBundle, type ImportOptions } from '../../../src/image/bundle/import.ts';
import type { Shelf } from '../../../src/image/bundle/shelf.ts';
import { confirmed } from '../../../src/store/tags.ts';
import { buildImage, type BuiltImage } from '../../fixtures/image-builder.ts';
import { file } from '../../fixtures/layer-builder.ts';
import { MemorySource } from '../../fixtures/memory-source.ts';
import { temporaryFolder } from '../../fixtures/temporary.ts';

export const APP: Repository = { host: 'docker.io', path: 'library/app' };

export interface WorldOptions {
  /** Lines of the configuration besides the store's folder. */
  readonly config?: string;
  readonly folder?: string;
  /** Bytes. */
  readonly maxSize?: number;
}

/** A mirror's store, as a server or a verb has it open. */
export async function openWorld(options: WorldOptions = {}) {
  await using stack = new AsyncDisposableStack();
  const folder = options.folder ?? path.join(stack.use(await temporaryFolder()).path, 'store');
  const limit = options.maxSize === undefined ? '' : `, maxSize: ${Math.floor(options.maxSize)}`;
  const text = `storage: { path: ${folder}, minFree: 0${limit} }\n${options.config ?? ''}\n`;
  const { config } = load({ file: { name: 'test.yaml', text }, environment: {}, overrides: [] });
  const store = stack.use(await openAlone(config));
  await store.housekeeping.looked();
  const hosted = stack.use(openHosted(() => config, store));
  const renewed: Digest[] = [];
  const shelf = shelfOf({
    store,
    hosted: hosted.repositories,
    config: () => config,
    renew: (_repository, subject) => renewed.push(subject),
  });
  const whole = stack.move();
  return {
    folder,
    config: config satisfies Config,
    store,
    hosted: hosted.repositories,
    shelf,
    renewed,
    import: (bytes: AsyncIterable<Uint8Array> | Uint8Array, more: Partial<ImportOptions> = {}) =>
      importBundle(bytes instanceof Uint8Array ? once(bytes) : bytes, {
        shelf,
        name: 'bundle.tar',
        tags: 'keep',
        ...more,
      }),
    [Symbol.asyncDispose]: () => whole[Symbol.asyncDispose](),
  };
}

export type World = Awaited<ReturnType<typeof openWorld>>;

/** The world's shelf, what makes images visible being done by the task. */
export function committing(
  { shelf }: Pick<World, 'shelf'>,
  task: (commit: () => Promise<void>) => Promise<void>,
): Shelf {
  const place: Shelf['hosted']['place'] = (content, placing) =>
    shelf.hosted.place(content, (commit) =>
      placing((tags, more) => task(() => commit(tags, more))),
    );
  return { ...shelf, hosted: { ...shelf.hosted, place } };
}

export async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 10_000) yield bytes.subarray(at, at + 10_000);
}

/** Stores content of an image and lets the repository serve it, as a mirror does. */
export async function keep(
  store: OpenStore,
  built: Pick<BuiltImage, 'source' | 'repository'>,
  parts: readonly Descriptor[],
): Promise<void> {
  for (const { digest, size, mediaType } of parts) {
    const manifest = /manifest|index/.test(mediaType);
    const bytes = manifest
      ? [(await built.source.manifest(built.repository, digest)).bytes]
      : (await built.source.blob(built.repository, digest)).body;
    await using ingest = await store.content.ingest(digest);
    await ingest.expect(size);
    for await (const chunk of bytes) await ingest.write(chunk);
    await ingest.commit();
    await store.links.set(built.repository, digest, manifest ? { size, mediaType } : { size });
  }
}

export async function tag(
  store: OpenStore,
  repository: Repository,
  name: string,
  descriptor: Descriptor,
): Promise<void> {
  const tag = parseTag(name);
  const before = await store.tags.get(repository, tag);
  await store.tags.set(repository, tag, confirmed(before, descriptor, Date.now()));
}

/** An index of two images with a layer in common, and a signature of the first. */
export function manyPlatforms(salt = '', repository = APP) {
  const source = new MemorySource();
  const shared = [file('shared', `shared by both ${salt}`)];
  const images = (['amd64', 'arm64'] as const).map((architecture) =>
    buildImage([shared, [file('own', `${architecture} ${salt}`)]], {
      source,
      repository,
      tag: `only-${architecture}`,
      config: { architecture, salt },
    }),
  );
  const index = source.putManifest(
    repository,
    {
      schemaVersion: 2,
      mediaType: MEDIA_TYPES.ociIndex,
      manifests: images.map(({ manifest: { descriptor } }, at) => ({
        ...descriptor,
        platform: { os: 'linux', architecture: at === 0 ? 'amd64' : 'arm64' },
      })),
    },
    'latest',
  );
  const [first, second] = images;
  if (first === undefined || second === undefined) throw new Error('two images');
  const signature = source.putBlob(repository, Buffer.from(`signed ${salt}`));
  const empty = source.putBlob(repository, Buffer.from('{}'));
  const signed = source.putManifest(
    repository,
    {
      schemaVersion: 2,
      mediaType: MEDIA_TYPES.ociManifest,
      artifactType: 'application/vnd.test.signature',
      config: { mediaType: 'application/vnd.oci.empty.v1+json', digest: empty, size: 2 },
      layers: [{ mediaType: 'text/plain', digest: signature, size: `signed ${salt}`.length }],
      subject: index.descriptor,
    },
    'signature',
  );
  const parts = (image: BuiltImage) => [image.manifest.descriptor, image.config, ...image.layers];
  return {
    source,
    repository,
    index,
    first,
    second,
    signed,
    parts: {
      index: index.descriptor,
      first: parts(first),
      second: parts(second),
      signature: [
        signed.descriptor,
        { mediaType: 'application/vnd.oci.empty.v1+json', digest: empty, size: 2 },
        { mediaType: 'text/plain', digest: signature, size: `signed ${salt}`.length },
      ],
    },
  };
}

/** A store with that image in it, tagged `latest`, with what refers to it. */
export async function filled(world: World, salt = ''): Promise<ReturnType<typeof manyPlatforms>> {
  const image = manyPlatforms(salt);
  const { parts, index, signed } = image;
  const all = [parts.index, ...parts.first, ...parts.second, ...parts.signature];
  await keep(world.store, image, all);
  await tag(world.store, APP, 'latest', index.descriptor);
  const item = { ...signed.descriptor, artifactType: 'application/vnd.test.signature' };
  await world.store.referrers.set(APP, index.descriptor.digest, { items: [item], checkedAt: 1 });
  return image;
}

/** Writes a bundle of what fits the patterns; its bytes and its lock's. */
export async function exported(
  world: World,
  patterns: readonly string[],
  more: Partial<ExportOptions> = {},
) {
  const target = more.file ?? path.join(world.folder, '..', 'bundle.tar');
  const { lock, bytes } = await exportBundle({
    store: world.folder,
    patterns: patterns.flatMap((text) => parseImagePattern(text) ?? []),
    platforms: 'stored',
    referrers: 'stored',
    file: target,
    lock: `${target}.lock.json`,
    ...more,
  });
  const written = await readFile(target);
  return { lock, size: bytes, bytes: written, file: target };
}

/** Everything that is to be seen in a store: small files by name, and the names of content. */
export async function seen(folder: string): Promise<readonly string[]> {
  const found: string[] = [];
  for (const top of ['repositories', 'blobs', 'ingest', 'uploads', 'journal']) {
    const names = await readdir(path.join(folder, top), {
      recursive: true,
      withFileTypes: true,
    }).catch(() => []);
    for (const entry of names) {
      if (entry.isFile())
        found.push(path.relative(folder, path.join(entry.parentPath, entry.name)));
    }
  }
  // The list of images for other tools, on its way, is written at any time.
  return found.filter((name) => !/^journal\/\..*\.new$/.test(name)).toSorted();
}

/** The same with one bit the other way round. */
export function flipped(bytes: Uint8Array, at: number): Buffer {
  const changed = Buffer.from(bytes);
  changed[at] = (changed[at] ?? 0) ^ 1;
  return changed;
}
