import type { Config } from '../config/config.ts';
import type { HousekeepingOptions } from '../store/budget/options.ts';

type Wiring = Pick<HousekeepingOptions, 'observe' | 'exclusively'>;

/** What the configuration says of the store's limits. */
export function housekeepingOf(
  { storage, upstreams, offline }: Config,
  wiring: Wiring = {},
): Omit<HousekeepingOptions, 'paths' | 'content' | 'links' | 'tags'> {
  const { maxSize, lowWater, minFree, maxAge, pins } = storage;
  return {
    limits: { maxSize, lowWater, minFree },
    maxAge,
    pins,
    shares: new Map(
      [...upstreams.values()].flatMap(({ host, maxSize }) =>
        maxSize === undefined ? [] : [[host, maxSize] as const],
      ),
    ),
    network: offline ? 'offline' : 'online',
    ...wiring,
  };
}
