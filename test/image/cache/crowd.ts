import { once } from 'node:events';
import { contentCache } from '../../../src/image/cache/cached.ts';
import { collect, pattern } from '../../fixtures/collect.ts';
import { MemorySource } from '../../fixtures/memory-source.ts';
import { REPOSITORY } from '../image-world.ts';
import { CROWD, type Crowd } from './crowd-told.ts';

// A process that wants many small blobs at once, as soon as it is told to begin.
const [folder = ''] = process.argv.slice(2);
const source = new MemorySource();
const digests = Array.from({ length: CROWD }, (_, seed) =>
  source.putBlob(REPOSITORY, pattern(20_000, seed)),
);
process.send?.('ready');
await once(process, 'message');
{
  await using cache = contentCache({ folder, maxSize: 2 ** 40, minFree: 0, patience: 2 ** 30 });
  const cached = cache.over(source);
  await Promise.all(
    digests.map(async (digest) => {
      await using blob = await cached.blob(REPOSITORY, digest);
      await collect(blob.body);
    }),
  );
}
const asked = source.calls.filter((call) => call.startsWith('blob'));
process.send?.({ digests: asked } satisfies Crowd);
process.disconnect();
