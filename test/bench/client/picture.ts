import { randomBytes } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { content, TYPES, type Content, type Image } from '../../../e2e/lib/image.ts';
import { tar, type TarFile } from '../../../e2e/lib/tar.ts';

const MiB = 1024 * 1024;
const BLOCK = 4096;

/** An image whose layers shrink to half, as programs and their data do, with files at known places. */
export interface Picture {
  readonly image: Image;
  readonly layers: readonly Content[];
  /** Files of the top layer, in its first MB and in its middle, and one of the layer at the bottom. */
  readonly files: Readonly<Record<'first' | 'middle' | 'bottom', Placed>>;
}

export interface Placed {
  readonly path: string;
  readonly sha256: string;
  /** Index of its layer, from the base. */
  readonly layer: number;
  /** Compressed bytes of the layer up to its end, at most a block of deflate less. */
  readonly compressed: number;
}

/** @param size of each compressed layer, bytes, about */
export function picture(count: number, size: number): Picture {
  const [layers, diffs]: [Content[], string[]] = [[], []];
  const files: Partial<Record<string, Placed>> = {};
  for (let at = 0; at < count; at += 1) {
    const members = membersOf(at, 2 * size);
    const raw = tar(members);
    const layer = content(TYPES.layer, gzipSync(raw, { level: 1 }));
    const placed = (index: number): Placed => placedIn(members, index, at);
    if (at === 0) files['bottom'] = placed(members.length >> 1);
    if (at === count - 1) {
      files['first'] = placed(0);
      files['middle'] = placed(members.length >> 1);
    }
    layers.push(layer);
    diffs.push(content('', raw).digest);
  }
  const { first, middle, bottom } = files;
  if (first === undefined || middle === undefined || bottom === undefined) throw new Error('empty');
  return { image: imageOf(layers, diffs), layers, files: { first, middle, bottom } };
}

/** A small file first, then files of 4 MiB. */
function membersOf(layer: number, size: number): readonly TarFile[] {
  const large = Math.max(2, Math.round(size / (4 * MiB)));
  return Array.from({ length: 1 + large }, (_, at) => ({
    path: `layer-${layer}-file-${at}`,
    bytes: halfNoise(at === 0 ? 100 * 1024 : 4 * MiB),
    mode: 0o644,
  }));
}

/** Every other half block is noise: gzip brings it to half. */
function halfNoise(size: number): Buffer {
  const bytes = Buffer.alloc(size, 'layers shrink to half. ');
  for (let at = 0; at < size; at += BLOCK) randomBytes(BLOCK / 2).copy(bytes, at);
  return bytes;
}

function placedIn(members: readonly TarFile[], index: number, layer: number): Placed {
  const file = members[index];
  if (file === undefined) throw new Error('no such member');
  const upTo = tar(members.slice(0, index + 1));
  // The end of an archive is two empty blocks; they shrink to nothing.
  const compressed = gzipSync(upTo, { level: 1 }).length;
  const { digest } = content('', file.bytes);
  return { path: `/${file.path}`, sha256: digest, layer, compressed };
}

function imageOf(layers: readonly Content[], diffs: readonly string[]): Image {
  const config = jsonOf(TYPES.config, {
    architecture: process.arch === 'arm64' ? 'arm64' : 'amd64',
    os: 'linux',
    config: {},
    rootfs: { type: 'layers', diff_ids: diffs },
    history: diffs.map((_, at) => ({ created_by: `layer ${at}` })),
  });
  const manifest = jsonOf(TYPES.manifest, {
    schemaVersion: 2,
    mediaType: TYPES.manifest,
    config: descriptorOf(config),
    layers: layers.map((layer) => descriptorOf(layer)),
  });
  return { ...manifest, blobs: [config, ...layers], children: [], message: '' };
}

function jsonOf(mediaType: string, value: unknown): Content {
  return content(mediaType, Buffer.from(JSON.stringify(value)));
}

function descriptorOf({ mediaType, digest, size }: Content): object {
  return { mediaType, digest, size };
}
