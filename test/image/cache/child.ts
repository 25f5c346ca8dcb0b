import { parseArgs } from 'node:util';
import { digestOf } from '../../../src/core/digest.ts';
import { contentCache } from '../../../src/image/cache/cached.ts';
import { collect, pattern } from '../../fixtures/collect.ts';
import { MemorySource } from '../../fixtures/memory-source.ts';
import { REPOSITORY } from '../image-world.ts';

/** A process that fetches one blob through a cache, and stands still in the middle until it is told to go on. */
export interface Told {
  readonly local?: number;
  /** Bytes that have been read. */
  readonly read?: number;
  readonly done?: { readonly digest: string; readonly positions: readonly number[] };
}

const { values } = parseArgs({
  options: {
    folder: { type: 'string', default: '' },
    size: { type: 'string', default: '0' },
    hangAt: { type: 'string', default: '-1' },
  },
});
const [size, hangAt] = [Number(values.size), Number(values.hangAt)];
const tell = (told: Told): void => {
  process.send?.(told);
};

const going = Promise.withResolvers<void>();
process.on('message', () => going.resolve());
const source = new MemorySource();
const digest = source.putBlob(REPOSITORY, pattern(size));
const positions: number[] = [];
source.behave({
  before: async (position) => {
    positions.push(position);
    if (position === hangAt) await going.promise;
  },
});
{
  await using cache = contentCache({ folder: values.folder, maxSize: 2 ** 40 });
  await using blob = await cache.over(source).blob(REPOSITORY, digest);
  tell({ local: blob.local ?? 0 });
  let read = 0;
  const bytes = await collect(
    (async function* () {
      for await (const chunk of blob.body) {
        read += chunk.length;
        tell({ read });
        yield chunk;
      }
    })(),
  );
  tell({ done: { digest: digestOf(bytes), positions } });
}
process.disconnect();
