import path from 'node:path';
import type { Descriptor } from '../../../core/descriptor.ts';
import type { Repository } from '../../../core/reference.ts';
import { saveLayer } from '../../../image/files/get.ts';
import { layerAt, type ImageLayers } from '../../../image/files/image-layers.ts';

/** `downloads/<user>_<repo>/latest/sha256_<hex>.tar.gz`; the end says how the layer is compressed. */
export function layerFile({ path: name }: Repository, layer: Descriptor): string {
  const file = layer.digest.replace(':', '_') + layerEnd(layer);
  return path.join('downloads', name.replaceAll('/', '_'), 'latest', file);
}

export function layerEnd({ mediaType }: Pick<Descriptor, 'mediaType'>): string {
  if (mediaType.endsWith('zstd')) return '.tar.zst';
  return mediaType.endsWith('.tar') ? '.tar' : '.tar.gz';
}

/** Writes one layer as it is stored, once its digest is right. @throws RegistryError */
export async function save(
  image: ImageLayers,
  index: number,
  signal: AbortSignal,
  say: (text: string) => void,
): Promise<void> {
  const layer = layerAt(image, index);
  const file = layerFile(image.repository, layer);
  say(`Downloading Layer [${index}] ${layer.digest} ...\n`);
  await saveLayer(image, index, file, { links: 'refuse', signal });
  say(`[+] Saved layer ${layer.digest} to ${file}\n`);
}
