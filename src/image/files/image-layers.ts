import type { Descriptor } from '../../core/descriptor.ts';
import type { Digest } from '../../core/digest.ts';
import { RegistryError } from '../../core/errors.ts';
import { printableName } from '../../layer/name.ts';
import type { Repository } from '../../core/reference.ts';
import type { Source } from '../../core/source.ts';

/** The layers of one image and where they are read from. */
export interface ImageLayers {
  readonly source: Source;
  readonly repository: Repository;
  /** The base first. */
  readonly layers: readonly Descriptor[];
}

/** Bytes of a layer that came from the source, told as they come. */
export interface FetchedEvent {
  readonly kind: 'fetched';
  /** Counted from 0, the base. */
  readonly layer: number;
  readonly digest: Digest;
  readonly bytes: number;
}

export interface ReadOptions {
  readonly observe?: ((event: FetchedEvent) => void) | undefined;
  /** Ends the work with RegistryError INTERRUPTED. */
  readonly signal?: AbortSignal | undefined;
}

/** @throws RegistryError FILE_UNKNOWN when the image has fewer layers */
export function layerAt({ layers }: ImageLayers, index: number): Descriptor {
  const layer = layers[index];
  if (layer !== undefined) return layer;
  throw new RegistryError(
    'FILE_UNKNOWN',
    `there is no layer ${index}: the image has ${layers.length}, counted from 0, the base`,
  );
}

/** @throws RegistryError INTERRUPTED once the signal was given */
export function checkSignal(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) {
    throw new RegistryError('INTERRUPTED', undefined, { cause: signal.reason });
  }
}

/** The error with the layer that it is about in front, where it is about what a layer holds. */
export function inLayer(error: unknown, layer: Descriptor, index: number): unknown {
  if (!(error instanceof RegistryError) || error.code !== 'LAYER_INVALID') return error;
  if (error.detail !== undefined) return error;
  const { digest } = layer;
  return new RegistryError(
    'LAYER_INVALID',
    `layer ${index} (${digest}): ${error.message}${otherwise(layer)}`,
    { cause: error, detail: { layer: index, digest } },
  );
}

/** What artifacts list as layers need not be archives; their types lie less often than those of layers. */
function otherwise({ mediaType }: Descriptor): string {
  if (/tar|^$/.test(mediaType)) return '';
  return `; it may be no layer of an image: it is of type ${printableName(mediaType)}`;
}
