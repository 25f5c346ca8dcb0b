import { Option } from '@commander-js/extra-typings';
import type { Choices, Override } from './actions.ts';

/** Flags that stand for a key of the configuration, by the name that commander gives their value. */
const KEYS = {
  listen: { flag: '--listen', key: 'listen' },
  storage: { flag: '--storage', key: 'storage.path' },
  defaultUpstream: { flag: '--default-upstream', key: 'defaultUpstream' },
  offline: { flag: '--offline', key: 'offline' },
  logLevel: { flag: '--log-level', key: 'log.level' },
  rate: { flag: '--rate', key: 'storage.verifyRate' },
} as const;

type Flags = { readonly [Name in keyof typeof KEYS]?: string | true | undefined };

export const config = () =>
  new Option('--config <file>', 'configuration file (default: config/layover.yaml)');
export const storage = () => new Option('--storage <folder>', 'the store (storage.path)');
export const listen = () =>
  new Option('--listen <address>', 'host:port or :port to serve on (listen)');
export const defaultUpstream = () =>
  new Option('--default-upstream <name>', 'registry of names that say none (defaultUpstream)');
export const offline = () =>
  new Option('--offline', 'serve what is cached, ask no upstream (offline)');
export const logLevel = () =>
  new Option('--log-level <level>', 'trace, debug, info, warn, error, fatal, silent (log.level)');

/** What the flags say; they are checked with the configuration, so that all faults come at once. */
export function choices({
  config,
  ...flags
}: Flags & { readonly config?: string | undefined }): Choices {
  const overrides = (Object.keys(KEYS) as (keyof typeof KEYS)[]).flatMap(
    (name): readonly Override[] => {
      const value = flags[name];
      return value === undefined ? [] : [{ ...KEYS[name], value }];
    },
  );
  return { config, overrides };
}
