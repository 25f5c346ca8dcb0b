import type { Descriptor } from '../../core/descriptor.ts';
import { algorithmOf, Hasher, type Digest } from '../../core/digest.ts';
import { RegistryError } from '../../core/errors.ts';
import type { Bytes } from '../../layer/bytes.ts';
import { ended, fetcher, type Fetch } from './fetch.ts';
import { layerAt, type ImageLayers, type ReadOptions } from './image-layers.ts';
import { piecesOf, type Pieces } from './pieces.ts';

/**
 * How a layer's blob is read. `stream`: one body, opened anew after a gap. `pieces`: closed ranges,
 * so that hardly more is fetched than is read. `verified`: one body, nothing of it passed over.
 */
export type Manner = 'stream' | 'pieces' | 'verified';

/** A layer's blob as it comes. */
export interface LayerBytes extends Bytes {
  /** Whether nothing was passed over so far: then the end is reached by right bytes alone. */
  readonly gapless: boolean;
  /** Whether all that is left was asked for already, so that reading it costs nothing more. */
  readonly arriving: boolean;
}

/**
 * A layer's blob as it is stored. As long as nothing is passed over it is held against its digest, and the
 * last chunk is given only if that is right.
 * @throws RegistryError DIGEST_INVALID, SIZE_INVALID, while reading
 */
export function layerBytes(
  image: ImageLayers,
  index: number,
  manner: Manner,
  options: ReadOptions,
): LayerBytes {
  const layer = layerAt(image, index);
  const fetch = fetcher(image, index, options);
  return hashed(bytesOf(layer, manner, fetch), layer, index);
}

function bytesOf({ size }: Descriptor, manner: Manner, fetch: Fetch): Bytes | Pieces {
  switch (manner) {
    case 'verified':
      return fetch(undefined);
    case 'pieces':
      return piecesOf(size, fetch);
    case 'stream':
      return streamOf(size, fetch);
  }
}

function hashed(bytes: Bytes | Pieces, layer: Descriptor, index: number): LayerBytes {
  const { digest, size } = layer;
  const skip = bytes.skip?.bind(bytes);
  let hasher: Hasher | undefined = new Hasher(algorithmOf(digest));
  let length = 0;

  function see(chunk: Uint8Array): void {
    if (hasher === undefined) return;
    hasher.update(chunk);
    length += chunk.length;
    if (length < size) return;
    if (length > size) throw longer(size);
    const actual = hasher.digest();
    if (actual !== digest) throw wrong(layer, index, actual);
  }

  async function* chunks(): AsyncGenerator<Uint8Array, void, undefined> {
    for await (const chunk of bytes) {
      see(chunk);
      yield chunk;
    }
    if (hasher !== undefined && length < size) throw ended(length, size);
  }

  return {
    get gapless() {
      return hasher !== undefined;
    },
    get arriving() {
      return 'arriving' in bytes && bytes.arriving;
    },
    [Symbol.asyncIterator]: chunks,
    ...(skip !== undefined && {
      skip: (count: number) => {
        const passed = skip(count);
        if (passed > 0) hasher = undefined;
        return passed;
      },
    }),
  };
}

function wrong({ digest }: Descriptor, index: number, actual: Digest): RegistryError {
  return new RegistryError(
    'DIGEST_INVALID',
    `layer ${index} (${digest}) is damaged: what came is ${actual}`,
  );
}

function longer(size: number): RegistryError {
  return new RegistryError('SIZE_INVALID', `the layer goes on after its ${size} bytes`);
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
