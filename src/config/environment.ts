import type { Fault, Origin } from './fault.ts';
import { leaves, outline, type Key } from './outline.ts';
import { didYouMean } from './suggest.ts';
import { withValue, type Tree } from './tree.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/** Names the configuration file, where `--config` does not. */
export const FILE_VARIABLE = 'LAYOVER_CONFIG';

/**
 * What Kubernetes sets in every pod for a Service whose name begins with "layover". They look like
 * settings, nobody wrote them, and refusing them would keep the mirror from starting.
 */
const FROM_KUBERNETES =
  /^LAYOVER_(?:\w+_)?(?:SERVICE_(?:HOST|PORT(?:_\w+)?)|PORT(?:_\d+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?)?)$/;

/** `tags.freshFor` is `LAYOVER_TAGS_FRESH_FOR`. */
export function variableOf(path: readonly string[]): string {
  const words = path.map((part) => part.replaceAll(/(?=[A-Z])/g, '_').toUpperCase());
  return ['LAYOVER', ...words].join('_');
}

/** The keys that the environment can set, by variable: none of upstreams, whose names have dots, and no list of mappings. */
export function variables(): ReadonlyMap<string, Key> {
  const keys = leaves(outline()).filter(
    ({ path, entries }) => path[0] !== 'upstreams' && entries.length === 0,
  );
  return new Map(keys.map((key) => [variableOf(key.path), key]));
}

/** The tree with what the environment says over it. An empty variable counts as not set. */
export function overlayEnvironment(
  tree: Tree,
  environment: Environment,
): { tree: Tree; faults: readonly Fault[] } {
  const known = variables();
  const faults: Fault[] = [];
  let result = tree;
  for (const [variable, text] of Object.entries(environment)) {
    if (!variable.startsWith('LAYOVER_') || text === undefined || text === '') continue;
    const origin: Origin = { kind: 'environment', variable };
    const key = known.get(variable);
    if (key !== undefined) {
      result = withValue(result, key.path, valueOf(text, key.shape), origin);
    } else if (variable !== FILE_VARIABLE && !FROM_KUBERNETES.test(variable)) {
      faults.push({
        origin,
        key: '',
        message: refusal(variable, [...known.keys(), FILE_VARIABLE]),
      });
    }
  }
  return { tree: result, faults };
}

function refusal(variable: string, known: readonly string[]): string {
  if (variable.startsWith('LAYOVER_UPSTREAMS')) {
    return 'upstreams cannot be set in the environment; allowed: the configuration file';
  }
  return `no key of this name${didYouMean(variable, known)}; "layover settings schema" lists them`;
}

/** What does not have the shape stays text, for the schema to refuse. */
function valueOf(text: string, shape: Key['shape']): unknown {
  switch (shape) {
    case 'boolean':
      return text === 'true' ? true : text === 'false' ? false : text;
    case 'number':
      return /^-?\d+(?:\.\d+)?$/.test(text) ? Number(text) : text;
    case 'list':
      return text.split(',').map((item) => item.trim());
    case 'text':
    case 'other':
      return text;
  }
}
