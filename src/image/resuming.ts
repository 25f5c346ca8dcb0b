import type { Range } from '../core/range.ts';
import type { Blob, Source } from '../core/source.ts';

/**
 * The same source, whose blobs are asked for again from where they break off, at most `retries` times
 * without a byte of progress. Whoever reads a whole blob checks its digest.
 */
export function resuming(source: Source, { retries }: { readonly retries: number }): Source {
  return {
    resolve: (repository, at) => source.resolve(repository, at),
    manifest: (repository, at) => source.manifest(repository, at),
    stat: (repository, digest) => source.stat(repository, digest),
    tags: (repository) => source.tags(repository),
    referrers: (repository, digest) => source.referrers(repository, digest),
    blob: async (repository, digest, range) => {
      const { Resumed } = await import('./resumed.ts');
      const open = (range?: Range): Promise<Blob> => source.blob(repository, digest, range);
      const read = new Resumed(await open(range), { open, retries, repository, digest });
      return read.blob;
    },
  };
}
