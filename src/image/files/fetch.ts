import { isUnknown, RegistryError } from '../../core/errors.ts';
import type { Range } from '../../core/range.ts';
import type { Blob } from '../../core/source.ts';
import { isForeign } from '../../core/foreign.ts';
import { reading } from '../copy/reading.ts';
import { checkSignal, layerAt, type ImageLayers, type ReadOptions } from './image-layers.ts';

/** Gives the bytes of the blob in a range and reports them; what is opened is closed on every path. */
export type Fetch = (range: Range | undefined) => AsyncGenerator<Uint8Array, void, undefined>;

/** What fetches parts of a layer's blob. */
export function fetcher(
  image: ImageLayers,
  index: number,
  { observe, signal }: ReadOptions,
): Fetch {
  const { digest, size } = layerAt(image, index);
  return async function* fetch(range) {
    checkSignal(signal);
    await using opened = await blobOf(image, index, range);
    // Whoever interrupts does not wait for bytes that are not coming, nor for attempts to get them.
    await using blob =
      signal === undefined ? opened : reading(opened, { signal, onBytes: () => {} });
    checkSize(blob, digest, size);
    for await (const chunk of named(blob.body, digest, index)) {
      checkSignal(signal);
      observe?.({ kind: 'fetched', layer: index, digest, bytes: chunk.length });
      yield chunk;
    }
  };
}

/** What the source finds wrong with the content is told with the layer that it was to be. */
async function* named(
  body: AsyncIterable<Uint8Array>,
  digest: string,
  index: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    yield* body;
  } catch (error) {
    if (!(error instanceof RegistryError) || error.code !== 'DIGEST_INVALID') throw error;
    const message = `layer ${index} (${digest}) is damaged: ${error.message}`;
    throw new RegistryError(error.code, message, { cause: error });
  }
}

/** What is missing is told with the layer that it was to be. */
async function blobOf(image: ImageLayers, index: number, range: Range | undefined): Promise<Blob> {
  const layer = layerAt(image, index);
  try {
    return await image.source.blob(image.repository, layer.digest, range);
  } catch (error) {
    if (!isUnknown(error) || !isForeign(layer)) throw error;
    throw new RegistryError(
      error.code,
      `layer ${index} (${layer.digest}) is kept elsewhere, as it may not be handed on: ${error.message}`,
      { cause: error, definitive: error.definitive },
    );
  }
}

function checkSize(blob: Blob, digest: string, size: number): void {
  if (blob.size === size) return;
  throw new RegistryError(
    'SIZE_INVALID',
    `${digest} has ${blob.size} bytes, its manifest says ${size}`,
  );
}

/** A source that ends without an error and without all of the bytes. */
export function ended(position: number, size: number): RegistryError {
  return new RegistryError('SIZE_INVALID', `the layer ended after ${position} of ${size} bytes`);
}
