import type { Fault } from './fault.ts';
import { quote } from './message.ts';
import { didYouMean } from './suggest.ts';
import { isRecord, keyOf, nearestOrigin, originOf, valueAt, type Path, type Tree } from './tree.ts';

/**
 * What no single key can know: faults between keys. Looks at values that may be wrong in themselves,
 * so that these faults are told together with those of the schema.
 */
export function crossFaults(tree: Tree): readonly Fault[] {
  const fault = (path: Path, message: string): Fault => ({
    origin: nearestOrigin(tree, path),
    key: keyOf(path),
    message,
  });
  return [
    ...aliases(tree).map(({ path, message }) => fault(path, message)),
    ...defaultUpstream(tree).map((message) => fault(['defaultUpstream'], message)),
  ];
}

interface Alias {
  readonly path: Path;
  readonly message: string;
}

function aliases(tree: Tree): readonly Alias[] {
  const owners = new Map(names(tree).map((name) => [name, name]));
  return names(tree).flatMap((name) =>
    aliasesOf(tree, name).flatMap((alias, index) => {
      const owner = owners.get(alias);
      owners.set(alias, owner ?? name);
      if (owner === undefined) return [];
      const path = ['upstreams', name, 'aliases', index];
      if (owner === alias && originOf(tree, path).kind === 'default') {
        // Nobody wrote the alias, it is there by default: the upstream is what was written.
        const message = `is an alias of ${name}; leave it out, or give ${name} other aliases`;
        return [{ path: ['upstreams', alias], message }];
      }
      const what =
        owner === alias ? 'is an upstream of its own' : `is an alias of ${owner} already`;
      return [{ path, message: `${alias} ${what}; a name leads to one upstream` }];
    }),
  );
}

function defaultUpstream(tree: Tree): readonly string[] {
  const { defaultUpstream: wanted = 'docker.io', upstreams } = tree.value;
  if (typeof wanted !== 'string' || wanted === '' || wanted === 'none' || !isRecord(upstreams))
    return [];
  const known = names(tree).concat(names(tree).flatMap((name) => aliasesOf(tree, name)));
  if (known.includes(wanted)) return [];
  return [
    `${quote(wanted)} is not an upstream of this configuration${didYouMean(wanted, known)}; allowed: ${[...names(tree), 'none'].join(', ')}`,
  ];
}

function names({ value: { upstreams } }: Tree): readonly string[] {
  return isRecord(upstreams) ? Object.keys(upstreams) : [];
}

function aliasesOf(tree: Tree, name: string): readonly string[] {
  const list = valueAt(tree.value, ['upstreams', name, 'aliases']);
  return Array.isArray(list) ? list.filter((alias) => typeof alias === 'string') : [];
}
