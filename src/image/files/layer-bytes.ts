import type { Descriptor } from '../../core/descriptor.ts';
import { algorithmOf, Hasher } from '../../core/digest.ts';
import { RegistryError } from '../../core/errors.ts';
import type { Bytes } from '../../layer/bytes.ts';
import { ended, fetcher, type Fetch } from './fetch.ts';
import { layerAt, type ImageLayers, type ReadOptions } from './image-layers.ts';
import { piecesOf } from './pieces.ts';

/**
 * How a layer's blob is read. `stream`: one body, opened anew after a gap. `pieces`: closed ranges,
 * so that hardly more is fetched than is read. `verified`: one body, to the end, against its digest.
 */
export type Manner = 'stream' | 'pieces' | 'verified';

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
