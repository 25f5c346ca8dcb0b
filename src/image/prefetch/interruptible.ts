import { untilAborted } from '../until-aborted.ts';
import type { Stock } from './stock.ts';

/**
 * The same, of which nobody waits for anything once the signal has come, nor asks for more: an upstream
 * may take its time to answer. What was asked for until then goes on by itself.
 */
export function interruptible(stock: Stock, signal: AbortSignal): Stock {
  const until = <T>(ask: () => Promise<T>): Promise<T> => untilAborted(signal, ask);
  return {
    route: (repository) => stock.route(repository),
    limits: (repository) => stock.limits(repository),
    resolve: (repository, tag) => until(() => stock.resolve(repository, tag)),
    tags: (repository) => until(() => stock.tags(repository)),
    referrers: (repository, digest) => until(() => stock.referrers(repository, digest)),
    manifest: (repository, digest) => until(() => stock.manifest(repository, digest)),
    tag: (repository, tag) => until(() => stock.tag(repository, tag)),
    bring: (repository, blob, options) => until(() => stock.bring(repository, blob, options)),
    blob: (repository, digest) =>
      until(async () => {
        const blob = await stock.blob(repository, digest);
        // Nobody is there any more to let go of it.
        if (signal.aborted) await blob[Symbol.asyncDispose]();
        return blob;
      }),
    settle: () => until(() => stock.settle()),
    has: (repository, digest) => until(() => stock.has(repository, digest)),
  };
}
