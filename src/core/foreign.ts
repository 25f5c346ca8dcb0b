import type { Descriptor } from './descriptor.ts';

/**
 * Whether a layer may not be handed on (image-spec layer.md, "Non-Distributable Layers"). By its type:
 * what the layer's own URLs lead to is never fetched.
 */
export function isForeign({ mediaType }: Pick<Descriptor, 'mediaType'>): boolean {
  return /\.(?:nondistributable|foreign)\./.test(mediaType);
}
