import { parseDescriptor, type Descriptor } from '../../core/descriptor.ts';
import type { Digest } from '../../core/digest.ts';
import { parseManifest, type Manifest } from '../../core/manifest.ts';
import { isRecord } from '../../core/shape.ts';
import type { ClosureSource } from './closure-parts.ts';

/**
 * The layers of one of Docker's old manifests (schema 1), which names them by digest alone, each once: with the
 * size of what is at hand, 0 where there is none. `undefined` where one has no digest.
 */
export async function oldLayersOf(
  manifest: Manifest,
  source: Pick<ClosureSource, 'size'>,
): Promise<readonly Descriptor[] | undefined> {
  const { fsLayers } = parseManifest(manifest.bytes);
  const found = new Map<Digest, Descriptor>();
  for (const layer of Array.isArray(fsLayers) ? fsLayers : []) {
    const digest: unknown = isRecord(layer) ? layer['blobSum'] : undefined;
    const one = parseDescriptor({ mediaType: 'application/octet-stream', digest, size: 0 });
    if (one === undefined) return undefined;
    found.set(one.digest, { ...one, size: (await source.size(one.digest)) ?? 0 });
  }
  return [...found.values()];
}
