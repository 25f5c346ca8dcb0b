import { RegistryError } from '../core/errors.ts';
import type { Deadline } from './clock.ts';
import type { UpstreamEvent } from './event.ts';
import type { Hints } from './hints.ts';
import { Lane } from './lane.ts';

/**
 * `uploads`: what is sent. `bodies`: whole blobs and their tails, which are read as fast as they come. `parts`: closed and
 * suffix ranges, which are read as fast as some client likes. `small`: everything else.
 */
export type LaneName = 'uploads' | 'bodies' | 'parts' | 'small';

/** The lanes of one upstream, apart so that none of them waits for another. */
export interface Lanes {
  /** Waits for a place, which disposing gives back. @throws RegistryError UPSTREAM_TIMEOUT */
  readonly enter: (name: LaneName, deadline: Deadline) => Promise<Disposable>;
}

/** @param width of `bodies` and of `uploads`; the others are half as wide, and at least 2 */
export function lanes(
  host: string,
  width: number,
  hints: Hints,
  observe: (event: UpstreamEvent) => void,
): Lanes {
  const changed = (): void => {
    const every = Object.values(named);
    const inFlight = every.reduce((sum, lane) => sum + lane.inFlight, 0);
    const waiting = every.reduce((sum, lane) => sum + lane.waiting, 0);
    observe({ host, type: 'load', inFlight, waiting });
  };
  const half = Math.max(2, Math.ceil(width / 2));
  const named: Readonly<Record<LaneName, Lane>> = {
    uploads: new Lane(width, changed),
    bodies: new Lane(width, changed),
    parts: new Lane(half, changed),
    small: new Lane(half, changed),
  };
  return {
    async enter(name, deadline) {
      const place = await named[name].enter(deadline);
      if (place !== undefined) return place;
      const message = `${host}: too many requests under way; ${hints.busy}`;
      throw new RegistryError('UPSTREAM_TIMEOUT', message);
    },
  };
}
