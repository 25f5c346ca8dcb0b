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
