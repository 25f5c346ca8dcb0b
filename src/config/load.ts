import { crossFaults } from './checks.ts';
import type { Config } from './config.ts';
import { readDocument } from './document.ts';
import { overlayEnvironment, type Environment } from './environment.ts';
import { byPlace, ConfigError, type Fault } from './fault.ts';
import { faultsOf } from './issue.ts';
import { messageOf } from './message.ts';
import { resolve } from './resolve.ts';
import { schema } from './schema.ts';
import { withValue, type Tree } from './tree.ts';
import { withWellKnown } from './upstreams.ts';

/** One value from the command line; `key` is a path such as `storage.path`. */
export interface Override {
  readonly flag: string;
  readonly key: string;
  readonly value: string | true;
}

export interface Sources {
  /** The file's text and the name under which faults speak of it; left out where there is none. */
  readonly file?: { readonly name: string; readonly text: string } | undefined;
  readonly environment: Environment;
  /** Win over the environment, which wins over the file, which wins over the defaults. */
  readonly overrides: readonly Override[];
}

export interface Loaded {
  readonly config: Config;
  /** What was said and where, for `showSettings`. */
  readonly tree: Tree;
}

/**
 * Makes the configuration of its sources; reads nothing else.
 * @throws ConfigError with every fault there is
 */
export function load({ file, environment, overrides }: Sources): Loaded {
  const read = readDocument(file?.text ?? '', file?.name ?? '');
  // Of a file that is not YAML nothing is known: what it seems to lack is not a fault.
  if (read.tree === undefined) throw new ConfigError(read.faults.toSorted(byPlace));
  const overlaid = overlayEnvironment(read.tree, environment);
  const said = overrides.reduce(
    (tree, { flag, key, value }) => withValue(tree, key.split('.'), value, { kind: 'flag', flag }),
    overlaid.tree,
  );
  const tree = withWellKnown(said);
  const faults: Fault[] = [...read.faults, ...overlaid.faults];
  const result = schema.safeParse(tree.value, { error: messageOf });
  faults.push(...faultsOf(result.error?.issues ?? [], tree), ...crossFaults(tree));
  if (result.data === undefined || faults.length > 0)
    throw new ConfigError(faults.toSorted(byPlace));
  return { config: resolve(result.data), tree };
}
