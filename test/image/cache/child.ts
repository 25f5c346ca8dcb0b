import { parseArgs } from 'node:util';
import { digestOf, parseDigest } from '../../../src/core/digest.ts';
import type { Repository } from '../../../src/core/reference.ts';
import type { Source } from '../../../src/core/source.ts';
import { contentCache } from '../../../src/image/cache/cached.ts';
import { client } from '../../../src/image/client.ts';
import { collect, pattern } from '../../fixtures/collect.ts';
import { MemorySource } from '../../fixtures/memory-source.ts';
import { REPOSITORY } from '../image-world.ts';

/** A process that fetches one blob through a cache, and stands still in the middle until it is told to go on. */
export interface Told {
  readonly local?: number;
  /** Bytes that have been read. */
  readonly read?: number;
  readonly done?: {
    readonly digest: string;
    /** Where the chunks began that were asked of the source in memory. */
    readonly positions: readonly number[];
    /** Bytes that another process had fetched. */
    readonly shared: number;
  };
}

const { values } = parseArgs({
  options: {
    folder: { type: 'string', default: '' },
    size: { type: 'string', default: '0' },
    hangAt: { type: 'string', default: '-1' },
    patience: { type: 'string', default: '5000' },
    /** A registry that has the blob; left out: memory. */
    host: { type: 'string' },
    digest: { type: 'string', default: '' },
  },
});
const [size, hangAt] = [Number(values.size), Number(values.hangAt)];
const tell = (told: Told): void => {
  process.send?.(told);
};

const going = Promise.withResolvers<void>();
process.on('message', () => going.resolve());
const positions: number[] = [];
await using registries = client({ plainHttp: true });

async function world(): Promise<{
  readonly source: Source;
  readonly repository: Repository;
  readonly digest: ReturnType<typeof parseDigest>;
}> {
  if (values.host !== undefined) {
    const repository = { ...REPOSITORY, host: values.host };
    const source = await registries.registry(values.host);
    return { source, repository, digest: parseDigest(values.digest) };
  }
  const source = new MemorySource();
  const digest = source.putBlob(REPOSITORY, pattern(size));
  source.behave({
    before: async (position) => {
      positions.push(position);
      if (position === hangAt) await going.promise;
    },
  });
  return { source, repository: REPOSITORY, digest };
}

{
  const { source, repository, digest } = await world();
  const patience = Number(values.patience);
  await using cache = contentCache({
    folder: values.folder,
    maxSize: 2 ** 40,
    minFree: 0,
    patience,
  });
  await using blob = await cache.over(source).blob(repository, digest);
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
  const shared = blob.shared?.().bytes ?? 0;
  tell({ done: { digest: digestOf(bytes), positions, shared } });
}
process.disconnect();
