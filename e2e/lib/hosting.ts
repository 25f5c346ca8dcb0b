import { layover, type Layover, type LayoverOptions } from './layover.ts';
import type { Scratch } from './scratch.ts';

/** Layover as a plain registry: every name lives here, and there is no upstream to ask. */
export function hosting(
  scratch: Scratch,
  options: Partial<Omit<LayoverOptions, 'upstreams'>> = {},
): Promise<Layover> {
  return layover(scratch, {
    name: 'registry',
    upstreams: {},
    ...options,
    config: { hosted: ['**'], defaultUpstream: 'none', ...options.config },
  });
}
