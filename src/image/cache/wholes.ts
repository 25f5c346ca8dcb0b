import type { Digest } from '../../core/digest.ts';
import type { Blob } from '../../core/source.ts';
import type { Origin } from '../../store/origins.ts';
import type { ContentCache } from './content-cache.ts';
import type { Fills } from './fills.ts';
import type { Neighbour } from './neighbour.ts';
import type { Neighbours } from './neighbours.ts';
import { relay, VAIN, type Part } from './relay.ts';

/** What all sources of a cache have in common. */
export interface Kept {
  readonly cache: ContentCache;
  readonly fills: Fills;
  readonly neighbours: Neighbours;
}

export interface WholeOptions extends Kept {
  readonly origin: Origin;
  readonly digest: Digest;
  /** Bytes, where a manifest told: a file of another size is not what it was. */
  readonly size: number | undefined;
}

/** All of a blob: out of the cache, as another process fetches it, or as this one does. */
export async function whole(options: WholeOptions): Promise<Blob> {
  const { digest, neighbours } = options;
  const followed = new Set<string>();
  const next = async (from: number, vain: number): Promise<Part> => {
    const part = await partFrom(from, vain, options);
    if (part.by === 'neighbour') followed.add(part.file);
    return part;
  };
  const first = await next(0, 0);
  if (first.by === 'us') return first.blob;
  return relay(first, {
    digest,
    next,
    onLost: (lost) => neighbours.lost(lost),
    onWrong: () => {
      for (const name of followed) neighbours.used(name);
    },
  });
}

async function partFrom(from: number, vain: number, options: WholeOptions): Promise<Part> {
  const { cache, fills, origin, digest, size } = options;
  const range = from === 0 ? undefined : { from };
  for (let misses = vain; ;) {
    const { finished } = fills;
    const held = await cache.open(digest, { range, size });
    if (held !== undefined) return { by: 'us', blob: held };
    // One that ended meanwhile may have brought it after the look into the cache.
    if (finished !== fills.finished) continue;
    // What is said to be there again and again, and cannot be read, is not waited for.
    const by = misses < VAIN ? 'anybody' : 'us';
    const filling = await fills.read({ origin, digest, size, from, by });
    if (filling?.by === 'us') return filling;
    if (filling?.by === 'neighbour') return await following(filling.neighbour, from, options);
    if (filling?.by === 'cache') misses += 1;
  }
}

async function following(
  neighbour: Neighbour,
  from: number,
  { origin, digest, size }: WholeOptions,
): Promise<Part> {
  await using held = new AsyncDisposableStack();
  held.use(neighbour);
  const { repository, upstream } = origin;
  const blob = neighbour.follow(from, size ?? (await upstream.stat(repository, digest)).size);
  held.move();
  return { by: 'neighbour', blob, file: neighbour.name };
}
