import { parseAddress, type Address } from './address.ts';
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
    ...sameAddress(tree).map(({ path, message }) => fault(path, message)),
  ];
}

/** Administration and clients cannot listen at the same place. */
function sameAddress(tree: Tree): readonly { readonly path: Path; readonly message: string }[] {
  const [clients, admin] = [['listen'], ['admin', 'listen']] as const;
  const addressAt = (path: Path, otherwise: string): Address | undefined => {
    const value = valueAt(tree.value, path) ?? otherwise;
    return typeof value === 'string' ? parseAddress(value) : undefined;
  };
  const one = addressAt(clients, '0.0.0.0:8080');
  const other = addressAt(admin, '127.0.0.1:8081');
  if (one === undefined || other === undefined || !collide(one, other)) return [];
  const written = originOf(tree, admin).kind !== 'default';
  const message = `is where ${written ? 'listen' : 'admin.listen'} listens already; one of the two needs another port`;
  return [{ path: written ? admin : clients, message }];
}

function collide(one: Address, other: Address): boolean {
  if (one.port !== other.port || one.port === 0) return false;
  const hosts = [one, other].map(({ host = '::' }) => (host === 'localhost' ? '127.0.0.1' : host));
  const [a = '', b = ''] = hosts;
  if (a === b || hosts.includes('::')) return true;
  return hosts.includes('0.0.0.0') && !`${a}${b}`.includes(':');
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
