import { parseDescriptor, type Descriptor } from '../../core/descriptor.ts';
import { algorithmOf, hexOf, type Digest } from '../../core/digest.ts';
import { childrenOf, parseManifest, type Manifest } from '../../core/manifest.ts';
import { isRecord, isTextRecord } from '../../core/shape.ts';
import type { Listed } from '../opened.ts';

/**
 * What refers to a manifest: listed manifests that state it as their subject, and what the fallback
 * tag lists (distribution specification, "Referrers Tag Schema"). `read` gives `undefined` for what is
 * not there.
 */
export async function referrersAmong(
  images: readonly Listed[],
  subject: Digest,
  read: (digest: Digest) => Promise<Manifest | undefined>,
): Promise<readonly Descriptor[]> {
  const fallback = `${algorithmOf(subject)}-${hexOf(subject)}`.slice(0, 128);
  const found = new Map<Digest, Descriptor>();
  for (const { descriptor, names } of images) {
    const manifest = await read(descriptor.digest);
    if (manifest === undefined) continue;
    if (names.some(({ at }) => at === fallback)) {
      for (const child of childrenOf(manifest.bytes)) found.set(child.digest, child);
    }
    const referrer = referring(manifest, subject);
    if (referrer !== undefined) found.set(referrer.digest, referrer);
  }
  return [...found.values()];
}

/** As a registry would list it ("Listing Referrers"): the config's type stands in for a missing one. */
function referring({ bytes, descriptor }: Manifest, subject: Digest): Descriptor | undefined {
  const { subject: about, artifactType, config, annotations } = parseManifest(bytes);
  if (parseDescriptor(about)?.digest !== subject) return undefined;
  const type = artifactType ?? (isRecord(config) ? config['mediaType'] : undefined);
  return {
    ...descriptor,
    ...(typeof type === 'string' && { artifactType: type }),
    ...(isTextRecord(annotations) && { annotations }),
  };
}
