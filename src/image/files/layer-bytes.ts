import type { Descriptor } from '../../core/descriptor.ts';
import { algorithmOf, Hasher } from '../../core/digest.ts';
import { RegistryError } from '../../core/errors.ts';
import type { Range } from '../../core/range.ts';
import type { Blob } from '../../core/source.ts';
import type { Bytes } from '../../layer/bytes.ts';
import { checkSignal, layerAt, type ImageLayers, type ReadOptions } from './image-layers.ts';
import { piecesOf } from './pieces.ts';

/**
 * How a layer's blob is read. `stream`: one body, opened anew after a gap. `pieces`: closed ranges,
 * so that hardly more is fetched than is read. `verified`: one body, to the end, against its digest.
 */
export type Manner = 'stream' | 'pieces' | 'verified';

/** Gives the bytes of the blob in a range and reports them; what is opened is closed on every path. */
export type Fetch = (range: Range | undefined) => AsyncGenerator<Uint8Array, void, undefined>;

/** A layer's blob as it is stored. `verified` throws DIGEST_INVALID or SIZE_INVALID at the end of wrong bytes. */
export function layerBytes(
  image: ImageLayers,
  index: number,
  manner: Manner,
  options: ReadOptions,
): Bytes {
  const layer = layerAt(image, index);
  const fetch = fetcher(image, index, options);
  switch (manner) {
    case 'verified':
      return verified(layer, fetch);
    case 'pieces':
      return piecesOf(layer.size, fetch);
    case 'stream':
      return streamOf(layer.size, fetch);
  }
}

function fetcher(image: ImageLayers, index: number, { observe, signal }: ReadOptions): Fetch {
  const { digest, size } = layerAt(image, index);
  return async function* fetch(range) {
    checkSignal(signal);
    await using blob = await image.source.blob(image.repository, digest, range);
    checkSize(blob, digest, size);
    for await (const chunk of blob.body) {
      checkSignal(signal);
      observe?.({ kind: 'fetched', layer: index, digest, bytes: chunk.length });
      yield chunk;
    }
  };
}

function checkSize(blob: Blob, digest: string, size: number): void {
  if (blob.size === size) return;
  throw new RegistryError(
    'SIZE_INVALID',
    `${digest} has ${blob.size} bytes, its manifest says ${size}`,
  );
}

async function* verified(
  { digest, size }: Descriptor,
  fetch: Fetch,
): AsyncGenerator<Uint8Array, void, undefined> {
  const hasher = new Hasher(algorithmOf(digest));
  let length = 0;
  for await (const chunk of fetch(undefined)) {
    hasher.update(chunk);
    length += chunk.length;
    yield chunk;
  }
  if (length !== size) {
    throw new RegistryError('SIZE_INVALID', `${digest} ended after ${length} of ${size} bytes`);
  }
  const actual = hasher.digest();
  if (actual === digest) return;
  throw new RegistryError(
    'DIGEST_INVALID',
    `the content of ${digest} is not that: it is ${actual}`,
  );
}

/** One body after the other: after a gap a new one starts behind it. */
function streamOf(size: number, fetch: Fetch): Bytes {
  let position = 0;
  let skipped = false;
  async function* chunks(): AsyncGenerator<Uint8Array, void, undefined> {
    while (position < size) {
      skipped = false;
      const start = position;
      for await (const chunk of fetch(start === 0 ? undefined : { from: start })) {
        position += chunk.length;
        yield chunk;
        if (skipped) break;
      }
      if (!skipped && position < size) throw ended(position, size);
    }
  }
  return {
    [Symbol.asyncIterator]: chunks,
    skip: (count) => {
      const passed = Math.min(count, size - position);
      position += passed;
      skipped = true;
      return passed;
    },
  };
}

/** A source that ends without an error and without all of the bytes. */
export function ended(position: number, size: number): RegistryError {
  return new RegistryError('SIZE_INVALID', `the layer ended after ${position} of ${size} bytes`);
}
