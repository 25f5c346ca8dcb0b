import type { Config } from '../config/config.ts';
import type { HousekeepingOptions, Rules } from '../store/budget/options.ts';

type Wiring = Pick<HousekeepingOptions, 'observe' | 'exclusively'>;

/** What the configuration in effect says of the store's limits. */
export function housekeepingOf(
  config: () => Config,
  wiring: Wiring = {},
): Omit<HousekeepingOptions, 'paths' | 'content' | 'links' | 'tags'> {
  return { rules: () => rulesOf(config()), ...wiring };
}

function rulesOf({ storage, upstreams, offline }: Config): Rules {
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
  };
}
