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
    name: 'health',
    group: 'Mirror:',
    summary: 'ask a running mirror whether it is ready',
    load: async () => (await import('./health.ts')).addHealth,
  },
  {
    name: 'verify',
    group: 'Mirror:',
    summary: 'check everything that is stored',
    load: async () => (await import('./verify.ts')).addVerify,
  },
  {
    name: 'prefetch',
    group: 'Mirror:',
    summary: 'fetch images before anybody asks for them',
    load: async () => (await import('./prefetch.ts')).addPrefetch,
  },
  {
    name: 'export',
    group: 'Mirror:',
    summary: 'write stored images into an archive, with a lock',
    load: async () => (await import('./export.ts')).addExport,
  },
  {
    name: 'import',
    group: 'Mirror:',
    summary: 'take the images of archives into the store',
    load: async () => (await import('./import.ts')).addImport,
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
    name: 'gc',
    group: 'Mirror:',
    summary: 'remove what nothing leads to in repositories that live here',
    load: async () => (await import('./gc.ts')).addGc,
  },
  {
    name: 'setup',
    group: 'Mirror:',
    summary: 'point a client at a mirror',
    load: async () => (await import('./setup.ts')).addSetup,
  },
  {
    name: 'doctor',
    group: 'Mirror:',
    summary: 'prove that pulls arrive at a mirror, or say why not',
    load: async () => (await import('./doctor.ts')).addDoctor,
  },
  {
    name: 'settings',
    group: 'Mirror:',
    summary: 'check and show the configuration',
    load: async () => (await import('./settings.ts')).addSettings,
  },
  {
    name: 'pull',
    group: 'Images:',
    summary: 'save images on this disk',
    load: async () => (await import('./pull.ts')).addPull,
  },
  {
    name: 'push',
    group: 'Images:',
    summary: 'take images of an archive or folder to a registry',
    load: async () => (await import('./push.ts')).addPush,
  },
  {
    name: 'copy',
    group: 'Images:',
    summary: 'take an image from anywhere to anywhere',
    load: async () => (await import('./copy.ts')).addCopy,
  },
  {
    name: 'manifest',
    group: 'Images:',
    summary: 'print a manifest or an index',
    load: async () => (await import('./manifest.ts')).addManifest,
  },
  {
    name: 'config',
    group: 'Images:',
    summary: 'print the config of an image',
    load: async () => (await import('./config.ts')).addConfig,
  },
  {
    name: 'history',
    group: 'Images:',
    summary: 'list the steps an image was built by',
    load: async () => (await import('./history.ts')).addHistory,
  },
  {
    name: 'layer',
    group: 'Images:',
    summary: 'print or save a layer',
    load: async () => (await import('./layer.ts')).addLayer,
  },
  {
    name: 'digest',
    group: 'Images:',
    summary: 'print the digest of an image',
    load: async () => (await import('./digest.ts')).addDigest,
  },
  {
    name: 'referrers',
    group: 'Images:',
    summary: 'list what refers to an image',
    load: async () => (await import('./referrers.ts')).addReferrers,
  },
  {
    name: 'ls',
    group: 'Files in images:',
    summary: 'list the files of an image',
    load: async () => (await import('./ls.ts')).addLs,
  },
  {
    name: 'cat',
    group: 'Files in images:',
    summary: 'print a file of an image',
    load: async () => (await import('./cat.ts')).addCat,
  },
  {
    name: 'get',
    group: 'Files in images:',
    summary: 'save a file, a folder or a layer of an image',
    load: async () => (await import('./get.ts')).addGet,
  },
  {
    name: 'find',
    group: 'Files in images:',
    summary: 'find files of an image by pattern',
    load: async () => (await import('./find.ts')).addFind,
  },
  {
    name: 'diff',
    group: 'Files in images:',
    summary: 'tell what sets two images apart',
    load: async () => (await import('./diff.ts')).addDiff,
  },
  {
    name: 'browse',
    group: 'Files in images:',
    summary: 'walk through a registry and into its images',
    load: async () => (await import('./browse.ts')).addBrowse,
  },
  {
    name: 'login',
    group: 'Registries:',
    summary: 'log in to a registry',
    load: async () => (await import('./login.ts')).addLogin,
  },
  {
    name: 'logout',
    group: 'Registries:',
    summary: 'log out of a registry',
    load: async () => (await import('./logout.ts')).addLogout,
  },
  {
    name: 'auth',
    group: 'Registries:',
    summary: 'list logins',
    load: async () => (await import('./auth.ts')).addAuth,
  },
  {
    name: 'tags',
    group: 'Registries:',
    summary: 'list the tags of a repository',
    load: async () => (await import('./tags.ts')).addTags,
  },
  {
    name: 'repos',
    group: 'Registries:',
    summary: 'list the repositories of a registry',
    load: async () => (await import('./repos.ts')).addRepos,
  },
  {
    name: 'delete',
    group: 'Registries:',
    summary: 'delete images from a registry',
    load: async () => (await import('./delete.ts')).addDelete,
  },
  {
    name: 'resolve',
    group: 'Registries:',
    summary: 'list every endpoint that a pull touches',
    load: async () => (await import('./resolve.ts')).addResolve,
  },
];
