import { isUnknown } from '../core/errors.ts';
import type { Range } from '../core/range.ts';
import type { Source } from '../core/source.ts';
import { openBlob, statBlob } from './blobs.ts';
import { Deadline, type Clock } from './clock.ts';
import type { Effort, Endpoint } from './endpoint.ts';
import type { Failover } from './failover.ts';
import type { LaneName, Lanes } from './lanes.ts';
import { fetchManifest, resolveManifest } from './manifests.ts';
import { listReferrers } from './referrers.ts';

/** What is asked of a registry in one short request, wherever it is answered. */
export type Brief = <T>(task: (endpoint: Endpoint, effort: Effort) => Promise<T>) => Promise<T>;

export interface ReadingOptions extends Lanes {
  readonly failover: Failover;
  readonly brief: Brief;
  readonly clock: Clock;
  /** Milliseconds until the body of a blob begins. */
  readonly budget: number;
  /** Milliseconds that the reader of a part may rest. */
  readonly idle: number;
}

/** Content, and what refers to it. */
export type Content = Pick<Source, 'resolve' | 'manifest' | 'stat' | 'blob' | 'referrers'>;

/** The content of a registry. */
export function reading(options: ReadingOptions): Content {
  const { failover, brief, clock, budget, idle, enter } = options;
  return {
    resolve: ({ path }, at) => brief((...where) => resolveManifest(...where, path, at)),
    manifest: ({ path }, at) => brief((...where) => fetchManifest(...where, path, at)),
    stat: ({ path }, digest) => brief((...where) => statBlob(...where, path, digest)),
    async referrers({ path }, digest) {
      try {
        return { items: await brief((...where) => listReferrers(...where, path, digest)) };
      } catch (error) {
        // A 404 that is not the registry's own word says nothing about what it has.
        if (isUnknown(error) && error.definitive) return { items: [] };
        throw error;
      }
    },
    async blob({ path }, digest, range) {
      const deadline = new Deadline(clock, budget);
      const lane = laneOf(range);
      const patience = lane === 'parts' ? idle : undefined;
      using stack = new DisposableStack();
      const place = stack.use(await enter(lane, deadline));
      const open = (endpoint: Endpoint, effort: Effort) =>
        openBlob(endpoint, effort, path, digest, range, {
          patience,
          ended(how) {
            place[Symbol.dispose]();
            if (how === 'failed') failover.avoid(endpoint, digest);
          },
        });
      const blob = await failover.run(deadline, open, digest);
      stack.move();
      return blob;
    },
  };
}

/** A range without an end is a download that goes on where it was cut. */
function laneOf(range: Range | undefined): LaneName {
  if (range === undefined) return 'bodies';
  return 'last' in range || range.to !== undefined ? 'parts' : 'bodies';
}
