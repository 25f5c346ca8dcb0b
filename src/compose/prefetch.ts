import type { Choices } from '../cli/actions.ts';
import type { Prefetch } from '../cli/prefetch-actions.ts';
import type { ReadConfig } from '../config/read.ts';
import { RegistryError } from '../core/errors.ts';
import type { Place } from '../image/finder/finding.ts';
import { isAbsent, type PrefetchEvent, type PrefetchFailure } from '../image/prefetch/event.ts';
import { Paths } from '../store/paths.ts';
import { serverOn } from './admin-client.ts';
import { imagesIn } from './image-files.ts';
import { failureOf } from './prefetch-failure.ts';
import { prefetchThere } from './prefetch-client.ts';
import { prefetchHere } from './prefetch-here.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** The verb, wired to the real things. */
export function prefetchOf(
  configOf: (choices: Choices) => Promise<ReadConfig>,
  environment: Environment,
): Prefetch {
  return async (choices, { signal, input, found, observe }) => {
    const { images, files, platforms, referrers, maxTags, mode } = choices;
    const read = await configOf(choices);
    const named = new Set(images);
    const failures: PrefetchFailure[] = [];
    const built = new Map<string, Place>();
    for await (const finding of imagesIn(files, { environment, input })) {
      found(finding);
      if (finding.kind === 'image') {
        if (finding.built === true && !named.has(finding.image)) built.set(finding.image, finding);
        if (finding.built !== true) built.delete(finding.image);
        named.add(finding.image);
      }
      if (finding.kind === 'unusable') {
        const failure = failureOf(finding);
        failures.push(failure);
        observe({ type: 'image-failed', ...failure });
      }
    }
    if (named.size === 0 && failures.length === 0) {
      throw new RegistryError('REQUEST_INVALID', `there is no image in ${files.join(', ')}`);
    }
    if (named.size === 0) return { ...NOTHING, failures };
    const query = { images: [...named], platforms, referrers, maxTags, mode };
    const isNone = (failure: PrefetchFailure): boolean =>
      built.has(failure.image) && isAbsent(failure);
    const seen = (event: PrefetchEvent): void => {
      const place = event.type === 'image-failed' ? built.get(event.image) : undefined;
      if (place === undefined || event.type !== 'image-failed' || !isNone(event)) {
        return observe(event);
      }
      const { file, line, path } = place;
      const reason = `it is built, and there is no ${event.image} to fetch: ${event.reason}`;
      found({ file, line, path, kind: 'skipped', reason });
    };
    const server = await serverOn(new Paths(read.config.storage.path));
    const summary =
      server === undefined
        ? await prefetchHere(read, environment, query, { signal, observe: seen })
        : await prefetchThere(server, query, { signal, observe: seen });
    return {
      ...summary,
      failures: [...failures, ...summary.failures.filter((one) => !isNone(one))],
    };
  };
}

const NOTHING = { complete: 0, fetched: { blobs: 0, bytes: 0 }, held: { blobs: 0, bytes: 0 } };
