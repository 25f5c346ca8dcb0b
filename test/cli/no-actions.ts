import type { Actions } from '../../src/cli/actions.ts';
import type { Bundles } from '../../src/cli/bundle-actions.ts';
import type { Upkeep } from '../../src/cli/upkeep-actions.ts';

/** For command lines that look after nothing. */
export const noUpkeep: Upkeep = {
  usage: () => Promise.reject(new Error('usage')),
  async *images() {},
  async *leaving() {},
  evict: () => Promise.reject(new Error('evict')),
  missed: () => Promise.reject(new Error('missed')),
  spared: () => Promise.reject(new Error('spared')),
  stranger: () => Promise.reject(new Error('stranger')),
  planPrune: () => Promise.reject(new Error('planPrune')),
  prune: () => Promise.reject(new Error('prune')),
  async *garbage() {},
  collect: () => Promise.reject(new Error('collect')),
  pins: () => Promise.reject(new Error('pins')),
  pin: () => Promise.reject(new Error('pin')),
  unpin: () => Promise.reject(new Error('unpin')),
};

/** And carry nothing. */
export const noBundles: Bundles = {
  export: () => Promise.reject(new Error('export')),
  import: () => Promise.reject(new Error('import')),
};

/** And do nothing else that needs more than the line. */
export const noActions: Actions = {
  serve: () => Promise.reject(new Error('serve')),
  health: () => Promise.reject(new Error('health')),
  async *verify() {},
  check: () => Promise.reject(new Error('check')),
  schema: () => ({}),
  show: () => Promise.reject(new Error('show')),
  upkeep: noUpkeep,
  bundles: noBundles,
  prefetch: () => Promise.reject(new Error('prefetch')),
  clients: () => Promise.reject(new Error('clients')),
};
