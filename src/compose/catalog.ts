import { isHosted } from '../core/hosted.ts';
import { formatRepository } from '../core/reference.ts';
import { SingleFlight } from '../core/single-flight.ts';
import { listedRepositories } from '../store/catalog.ts';
import type { Paths } from '../store/paths.ts';

/** Names of what is cached, sorted: those of one upstream without its name, or all with theirs. */
export type Catalog = (upstream: string | undefined) => Promise<readonly string[]>;

export interface CatalogOptions {
  readonly paths: Paths;
  /** Milliseconds; only goes forwards. */
  readonly now?: () => number;
  /** A number that is another one when there is a new repository of which one knows at once. */
  readonly edition?: () => number;
  /** Whether an upstream is one: what was cached of others cannot be pulled. All are if left out. */
  readonly serves?: (host: string) => boolean;
}

/** Milliseconds for which a walk's result is good: a client's next page should not cost another walk. */
const KEPT = 5_000;

interface Kept {
  readonly names: readonly string[];
  readonly until: number;
  readonly edition: number;
}

/**
 * The catalog of a store. A walk through all its repositories is the dearest thing that one request
 * can ask for, so whoever asks during a walk gets its result, and so do others for a few seconds.
 */
export function createCatalog(options: CatalogOptions): Catalog {
  const { paths, now = () => performance.now(), edition = () => 0, serves = () => true } = options;
  const walks = new SingleFlight<readonly string[]>();
  const kept = new Map<string, Kept>();
  return async (upstream) => {
    // No host is empty. The keys are the configured upstreams, so the map is as small as they are few.
    const key = upstream ?? '';
    const known = kept.get(key);
    if (known?.edition === edition() && now() < known.until) return known.names;
    const current = edition();
    return walks.run(`${current} ${key}`, async () => {
      const names = await walk(paths, upstream, serves);
      kept.set(key, { names, until: now() + KEPT, edition: current });
      return names;
    });
  };
}

async function walk(
  paths: Paths,
  upstream: string | undefined,
  serves: (host: string) => boolean,
): Promise<readonly string[]> {
  const listed = await listedRepositories(paths, upstream);
  const found = listed.filter((one) => isHosted(one) || serves(one.host));
  // What lives here may have the name of what was mirrored before.
  return [
    ...new Set(found.map((one) => (upstream === undefined ? formatRepository(one) : one.path))),
  ];
}
