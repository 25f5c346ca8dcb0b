import type { Descriptor } from '../../core/descriptor.ts';
import { digestOf, isDigest, type Digest } from '../../core/digest.ts';
import { RegistryError } from '../../core/errors.ts';
import { manifestOf } from '../../core/manifest.ts';
import { MEDIA_TYPES } from '../../core/media-type.ts';
import { isRecord } from '../../core/shape.ts';
import { Buffers } from '../../store/buffers.ts';
import type { Listed } from '../opened.ts';
import { bytesOf, damaged, hashOf, type Content, type Files } from './content.ts';
import { parseDockerManifest, type DockerImage } from './docker-manifest.ts';
import { merged, nameOf } from './images.ts';
import { layerKindOf, typeOfLayer, type LayerKind } from './layer-kind.ts';
import { inMemory, type Held } from './oci-layout.ts';

/** Bytes. */
const LARGEST_CONFIG = 16 * 1024 * 1024;
const LARGEST_LIST = 16 * 1024 * 1024;

/** A name that states the digest of the bytes under it, as crane and containerd write them. */
const STATED =
  /(?:^|\/)(?:sha256:|blobs\/sha256\/)?([0-9a-f]{64})(?:\.tar(?:\.(?:gz|gzip|zst|zstd)))?$/;

interface Layer {
  readonly kind: LayerKind;
  readonly digest: Digest;
  readonly size: number;
}

/**
 * What a docker archive holds (`docker save` and those that write alike); `undefined` where there is
 * no `manifest.json`. Manifests are made, since such an archive has none: the same one every time.
 * @throws RegistryError MANIFEST_INVALID, BLOB_UNKNOWN for files that are missing, DIGEST_INVALID
 */
export async function dockerArchive(files: Files): Promise<Held | undefined> {
  const list = await dockerImages(files);
  if (list === undefined) return undefined;
  const places = new Map<Digest, string>();
  const made = new Map<Digest, Uint8Array>();
  const images: Listed[] = [];
  for (const image of list) {
    const bytes = await manifestFor(files, image, places);
    const { descriptor } = manifestOf(bytes, undefined);
    made.set(descriptor.digest, bytes);
    images.push({ descriptor, names: image.names.flatMap((name) => nameOf(name) ?? []) });
  }
  return {
    images: merged(images),
    async open(digest) {
      const bytes = made.get(digest);
      if (bytes !== undefined) return inMemory(bytes);
      const place = places.get(digest);
      return place === undefined ? undefined : files.open(place);
    },
  };
}

/** The lines of `manifest.json`; `undefined` where there is none. */
export async function dockerImages(files: Files): Promise<readonly DockerImage[] | undefined> {
  const content = await files.open('manifest.json');
  if (content === undefined) return undefined;
  return parseDockerManifest(
    await bytesOf(content, LARGEST_LIST, `${files.name}, manifest.json`),
    files.name,
  );
}

async function manifestFor(
  files: Files,
  image: DockerImage,
  places: Map<Digest, string>,
): Promise<Uint8Array> {
  const config = await bytesOf(await member(files, image.config), LARGEST_CONFIG, files.name);
  const digest = digestOf(config);
  const stated = /^(?:sha256:|.*\/)?([0-9a-f]{64})(?:\.json)?$/.exec(image.config)?.[1];
  if (stated !== undefined && digest !== `sha256:${stated}`)
    throw damaged(files.name, digestOfHex(stated));
  places.set(digest, image.config);
  const diffs = diffsOf(config, image.layers.length);
  const layers: Layer[] = [];
  for (const [index, name] of image.layers.entries()) {
    const layer = await layerOf(files, name, diffs?.[index]);
    places.set(layer.digest, name);
    layers.push(layer);
  }
  return Buffer.from(JSON.stringify(manifestWith({ digest, size: config.length }, layers)));
}

/** docker's schema 2 has a type for gzip alone; everything else needs OCI's. */
function manifestWith(
  config: Omit<Descriptor, 'mediaType'>,
  layers: readonly Layer[],
): Readonly<Record<string, unknown>> {
  const docker = layers.every(({ kind }) => kind === 'gzip');
  return {
    schemaVersion: 2,
    mediaType: docker ? MEDIA_TYPES.dockerManifest : MEDIA_TYPES.ociManifest,
    config: {
      mediaType: docker
        ? 'application/vnd.docker.container.image.v1+json'
        : 'application/vnd.oci.image.config.v1+json',
      ...config,
    },
    layers: layers.map(({ kind, digest, size }) => ({
      mediaType: typeOfLayer(kind, docker ? 'docker' : 'oci'),
      digest,
      size,
    })),
  };
}

/**
 * A plain layer is what the config says, a compressed one what its name states; whoever reads it
 * finds out if not. Anything else is read once.
 */
async function layerOf(files: Files, name: string, diff: Digest | undefined): Promise<Layer> {
  await using content = await member(files, name);
  const kind = await layerKindOf(content);
  const hex = STATED.exec(name)?.[1];
  const known = kind === 'plain' ? diff : hex === undefined ? undefined : digestOfHex(hex);
  const digest = known ?? (await hashOf(content, new Buffers()));
  return { kind, digest, size: content.size };
}

async function member(files: Files, name: string): Promise<Content> {
  const content = await files.open(name);
  if (content !== undefined) return content;
  throw new RegistryError(
    'BLOB_UNKNOWN',
    `${files.name}: manifest.json names ${JSON.stringify(name.slice(0, 160))}, which is not in it`,
  );
}

function digestOfHex(hex: string): Digest {
  const digest = `sha256:${hex}`;
  if (isDigest(digest)) return digest;
  throw new RegistryError('DIGEST_INVALID', `not a digest: ${digest}`);
}

/** `undefined` when the config does not list as many layers as there are. */
function diffsOf(config: Buffer, count: number): readonly Digest[] | undefined {
  let value: unknown;
  try {
    value = JSON.parse(config.toString());
  } catch {
    return undefined;
  }
  const rootfs = isRecord(value) ? value['rootfs'] : undefined;
  const listed: unknown = isRecord(rootfs) ? rootfs['diff_ids'] : undefined;
  if (!Array.isArray(listed) || listed.length !== count) return undefined;
  const diffs = listed.filter((diff): diff is Digest => typeof diff === 'string' && isDigest(diff));
  return diffs.length === count ? diffs : undefined;
}
