import { createCipheriv, createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { program, type Architecture } from './program.ts';
import { tar, type TarFile } from './tar.ts';

export const TYPES = {
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  index: 'application/vnd.oci.image.index.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  layer: 'application/vnd.oci.image.layer.v1.tar+gzip',
  empty: 'application/vnd.oci.empty.v1+json',
} as const;

/** Bytes with the descriptor that names them. */
export interface Content {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly bytes: Uint8Array;
}

/** A manifest with the blobs it needs, or an index with its manifests. */
export interface Image extends Content {
  readonly blobs: readonly Content[];
  readonly children: readonly Image[];
  /** What it prints when it runs; empty for what cannot run. */
  readonly message: string;
}

export function content(mediaType: string, bytes: Uint8Array): Content {
  const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
  return { mediaType, digest, size: bytes.length, bytes };
}

function json(mediaType: string, value: unknown): Content {
  return content(mediaType, Buffer.from(JSON.stringify(value)));
}

function descriptor(of: Content, more: object = {}): object {
  return { mediaType: of.mediaType, digest: of.digest, size: of.size, ...more };
}

/** Bytes that do not compress and are the same in every run. */
export function noise(size: number, seed: string): Buffer {
  const key = createHash('sha256').update(seed).digest();
  return createCipheriv('aes-256-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(size));
}

export interface ImageOptions {
  /** What the container prints. */
  readonly message: string;
  readonly architecture?: Architecture;
  /** Sizes in bytes of further layers of noise. */
  readonly layers?: readonly number[];
}

/** An image that runs `/hello`, which prints the message. */
export function image(options: ImageOptions): Image {
  const architecture = options.architecture ?? hostArchitecture();
  const files: TarFile[] = [
    { path: 'hello', bytes: program(architecture, options.message), mode: 0o755 },
    { path: 'message', bytes: Buffer.from(options.message), mode: 0o644 },
    ...(options.layers ?? []).map((size, at) => ({
      path: `noise-${at}`,
      bytes: noise(size, `${options.message} ${architecture} ${at}`),
      mode: 0o644,
    })),
  ];
  const tars = files.map((file) => tar([file]));
  const layers = tars.map(compressed);
  const config = json(TYPES.config, {
    architecture,
    os: 'linux',
    config: { Entrypoint: ['/hello'], Env: ['PATH=/'] },
    rootfs: { type: 'layers', diff_ids: tars.map((bytes) => content('', bytes).digest) },
    history: tars.map((_, at) => ({ created_by: `layer ${at}` })),
  });
  return { ...manifest(config, layers), message: options.message };
}

/** Noise does not shrink: storing it spares the processor, small files are really compressed. */
function compressed(bytes: Uint8Array): Content {
  return content(TYPES.layer, gzipSync(bytes, { level: bytes.length > 4096 ? 0 : 9 }));
}

function manifest(config: Content, layers: readonly Content[], more: object = {}): Image {
  const whole = json(TYPES.manifest, {
    schemaVersion: 2,
    mediaType: TYPES.manifest,
    ...more,
    config: descriptor(config),
    layers: layers.map((layer) => descriptor(layer)),
  });
  return { ...whole, blobs: [config, ...layers], children: [], message: '' };
}

/** The same image with its first layer once more on top. */
export function repeated({ blobs, message }: Image): Image {
  const [config, ...layers] = blobs;
  const [first] = layers;
  if (config === undefined || first === undefined) throw new Error('an image without layers');
  const known = JSON.parse(Buffer.from(config.bytes).toString()) as {
    readonly rootfs: { readonly type: string; readonly diff_ids: readonly string[] };
    readonly history: readonly object[];
  };
  const { rootfs, history } = known;
  const longer = json(TYPES.config, {
    ...known,
    rootfs: { ...rootfs, diff_ids: [...rootfs.diff_ids, rootfs.diff_ids[0]] },
    history: [...history, history[0]],
  });
  return { ...manifest(longer, [...layers, first]), message };
}

/** The same image for both processors, behind an index. */
export function multiPlatform(options: Omit<ImageOptions, 'architecture'>): Image {
  const architectures = ['amd64', 'arm64'] as const;
  const children = architectures.map((architecture) => image({ ...options, architecture }));
  const whole = json(TYPES.index, {
    schemaVersion: 2,
    mediaType: TYPES.index,
    manifests: children.map((child, at) =>
      descriptor(child, { platform: { os: 'linux', architecture: architectures[at] } }),
    ),
  });
  return { ...whole, blobs: [], children, message: options.message };
}

/** An artifact about another manifest: image-spec manifest.md "Guidelines for Artifact Usage". */
export function artifact(subject: Image, artifactType: string, text: string): Image {
  const empty = content(TYPES.empty, Buffer.from('{}'));
  const layer = content('text/plain', Buffer.from(text));
  return manifest(empty, [layer], { artifactType, subject: descriptor(subject) });
}

/** The index that clients keep under `sha256-<hex>` where a registry has no referrers of its own. */
export function referrersIndex(artifactType: string, artifacts: readonly Image[]): Image {
  const manifests = artifacts.map((one) => descriptor(one, { artifactType }));
  const whole = json(TYPES.index, { schemaVersion: 2, mediaType: TYPES.index, manifests });
  return { ...whole, blobs: [], children: [...artifacts], message: '' };
}

export function hostArchitecture(): Architecture {
  return process.arch === 'arm64' ? 'arm64' : 'amd64';
}

/** The manifest that a client on this machine ends up with. */
export function forThisHost(image: Image): Image {
  const at = hostArchitecture() === 'amd64' ? 0 : 1;
  return image.children[at] ?? image;
}
