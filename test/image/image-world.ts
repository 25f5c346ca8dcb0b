import type { Descriptor } from '../../src/core/descriptor.ts';
import { digestOf } from '../../src/core/digest.ts';
import type { Manifest } from '../../src/core/manifest.ts';
import { MEDIA_TYPES } from '../../src/core/media-type.ts';
import { parsePath, type Repository } from '../../src/core/reference.ts';
import { pattern } from '../fixtures/collect.ts';

/** Anything a test can put content into: `MemorySource`, or a loopback registry behind a thin face. */
export interface Holder {
  putBlob(repository: Repository, bytes: Uint8Array): unknown;
  putManifest(repository: Repository, content: unknown, ...tags: readonly string[]): Manifest;
}

export const REPOSITORY: Repository = { host: 'registry.test', path: parsePath('team/app') };

export interface ImageOptions {
  readonly platform?: Record<string, string>;
  /** Sizes in bytes; their bytes follow from `seed`. */
  readonly layers?: readonly number[];
  readonly seed?: number;
  readonly tags?: readonly string[];
  readonly subject?: Descriptor;
}

export interface MadeImage {
  readonly manifest: Manifest;
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
  readonly bytes: ReadonlyMap<string, Uint8Array>;
}

/** Puts an image into the holder. */
export function putImage(
  holder: Holder,
  options: ImageOptions = {},
  repository = REPOSITORY,
): MadeImage {
  const { platform = { os: 'linux', architecture: 'amd64' }, seed = 1, tags = [] } = options;
  const bytes = new Map<string, Uint8Array>();
  const put = (mediaType: string, content: Uint8Array): Descriptor => {
    holder.putBlob(repository, content);
    const digest = digestOf(content);
    bytes.set(digest, content);
    return { mediaType, digest, size: content.length };
  };
  const layers = (options.layers ?? [300_000, 70_000]).map((size, index) =>
    put('application/vnd.oci.image.layer.v1.tar+gzip', pattern(size, seed * 100 + index)),
  );
  const config = put(
    'application/vnd.oci.image.config.v1+json',
    Buffer.from(JSON.stringify({ ...platform, seed, rootfs: { type: 'layers', diff_ids: [] } })),
  );
  const manifest = holder.putManifest(
    repository,
    {
      schemaVersion: 2,
      mediaType: MEDIA_TYPES.ociManifest,
      config,
      layers,
      ...(options.subject && { subject: options.subject }),
    },
    ...tags,
  );
  return { manifest, config, layers, bytes };
}

export interface EntryOptions {
  readonly platform?: Record<string, string>;
  readonly annotations?: Record<string, string>;
}

/** Puts an index over manifests into the holder. */
export function putIndex(
  holder: Holder,
  entries: readonly (readonly [Manifest, EntryOptions?])[],
  tags: readonly string[] = [],
  repository = REPOSITORY,
): Manifest {
  const manifests = entries.map(([{ descriptor }, options]) =>
    Object.assign({}, descriptor, options),
  );
  return holder.putManifest(
    repository,
    { schemaVersion: 2, mediaType: MEDIA_TYPES.ociIndex, manifests },
    ...tags,
  );
}
