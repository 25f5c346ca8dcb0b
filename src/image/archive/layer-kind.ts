import { isGzip } from '../../layer/gzip.ts';
import { isZstd } from '../../layer/zstd.ts';
import type { Content } from './content.ts';

export type LayerKind = 'plain' | 'gzip' | 'zstd';

/** By the first bytes: names in archives say `.tar` of anything. */
export async function layerKindOf(content: Content): Promise<LayerKind> {
  if (content.size < 4) return 'plain';
  const first = await content.read(0, Buffer.alloc(4));
  if (isGzip(first)) return 'gzip';
  return isZstd(first) ? 'zstd' : 'plain';
}

/** What a manifest calls such a layer. docker's schema 2 has no type for zstd. */
export function typeOfLayer(kind: LayerKind, family: 'docker' | 'oci'): string {
  if (family === 'docker') return 'application/vnd.docker.image.rootfs.diff.tar.gzip';
  switch (kind) {
    case 'plain':
      return 'application/vnd.oci.image.layer.v1.tar';
    case 'gzip':
      return 'application/vnd.oci.image.layer.v1.tar+gzip';
    case 'zstd':
      return 'application/vnd.oci.image.layer.v1.tar+zstd';
  }
}
