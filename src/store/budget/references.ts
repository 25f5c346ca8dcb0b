import { parseDescriptor } from '../../core/descriptor.ts';
import { isDigest, type Digest } from '../../core/digest.ts';
import { parseManifest } from '../../core/manifest.ts';
import { isRecord } from '../../core/shape.ts';
import type { Kind } from './blob-index.ts';

/** What a manifest is nothing without. */
export interface Part {
  readonly digest: Digest;
  readonly kind: Kind;
}

/** Everything a manifest of any known kind lists: none for bytes that are no manifest. */
export function partsOf(bytes: Uint8Array): readonly Part[] {
  let manifest: Readonly<Record<string, unknown>>;
  try {
    manifest = parseManifest(bytes);
  } catch {
    return [];
  }
  const { manifests, config, layers, blobs, fsLayers } = manifest;
  return [
    ...listed(manifests, 'manifest'),
    ...listed([config], 'blob'),
    ...listed(layers, 'blob'),
    ...listed(blobs, 'blob'),
    ...schema1(fsLayers),
  ];
}

function listed(values: unknown, kind: Kind): readonly Part[] {
  if (!Array.isArray(values)) return [];
  return values.flatMap((value: unknown) => {
    const digest = parseDescriptor(value)?.digest;
    return digest === undefined ? [] : [{ digest, kind }];
  });
}

/** Docker's old manifests name their layers by digest alone. */
function schema1(values: unknown): readonly Part[] {
  if (!Array.isArray(values)) return [];
  return values.flatMap((value: unknown) => {
    const digest = isRecord(value) ? value['blobSum'] : undefined;
    return typeof digest === 'string' && isDigest(digest)
      ? [{ digest, kind: 'blob' as const }]
      : [];
  });
}
