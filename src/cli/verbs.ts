import type { Command } from '@commander-js/extra-typings';
import type { Context } from './context.ts';

/** Puts a verb with its arguments, flags and help into the program. */
export type AddVerb = (program: Command, context: Context) => void;

export interface Verb {
  readonly name: string;
  /** The heading under which `--help` lists it. */
  readonly group: 'Mirror:' | 'Images:' | 'Files in images:' | 'Registries:';
  readonly summary: string;
  /** Loads what the verb needs; until then it costs nothing. */
  readonly load: () => Promise<AddVerb>;
}

/** Every verb, in the order in which `--help` lists them. */
export const VERBS: readonly Verb[] = [
  {
    name: 'serve',
    group: 'Mirror:',
    summary: 'serve the mirror',
    load: async () => (await import('./serve.ts')).addServe,
  },
  {
    name: 'verify',
    group: 'Mirror:',
    summary: 'check everything that is stored',
    load: async () => (await import('./verify.ts')).addVerify,
  },
  {
    name: 'usage',
    group: 'Mirror:',
    summary: 'tell where the bytes of the store are',
    load: async () => (await import('./usage.ts')).addUsage,
  },
  {
    name: 'ls-cache',
    group: 'Mirror:',
    summary: 'list what is cached',
    load: async () => (await import('./ls-cache.ts')).addLsCache,
  },
  {
    name: 'evict',
    group: 'Mirror:',
    summary: 'make room, the least recently used first',
    load: async () => (await import('./evict.ts')).addEvict,
  },
  {
    name: 'prune',
    group: 'Mirror:',
    summary: 'remove cached images by pattern, age, last use',
    load: async () => (await import('./prune.ts')).addPrune,
  },
  {
    name: 'pin',
    group: 'Mirror:',
    summary: 'have images never be evicted; list pins',
    load: async () => (await import('./pin.ts')).addPin,
  },
  {
    name: 'unpin',
    group: 'Mirror:',
    summary: 'take a pin away',
    load: async () => (await import('./pin.ts')).addUnpin,
  },
  {
    name: 'settings',
    group: 'Mirror:',
    summary: 'check and show the configuration',
    load: async () => (await import('./settings.ts')).addSettings,
  },
  {
    name: 'tags',
    group: 'Registries:',
    summary: 'list the tags of a repository',
    load: async () => (await import('./tags.ts')).addTags,
  },
];
