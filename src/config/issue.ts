import type * as z from 'zod';
import type { Fault } from './fault.ts';
import { outline, type Key } from './outline.ts';
import { didYouMean } from './suggest.ts';
import { keyOf, keyOrigin, nearestOrigin, type Path, type Tree } from './tree.ts';

type Issue = z.core.$ZodIssue;

/** What the schema found wrong, as faults with their places. */
export function faultsOf(issues: readonly Issue[], tree: Tree, above: Path = []): readonly Fault[] {
  return issues.flatMap((issue) => {
    const path = [...above, ...issue.path];
    switch (issue.code) {
      case 'unrecognized_keys':
        return issue.keys.map((key) => unknownKey(tree, [...path, key]));
      case 'invalid_key':
        return issue.issues.slice(0, 1).map(({ message }) => ({
          origin: keyOrigin(tree, path),
          key: keyOf(path),
          message,
        }));
      case 'invalid_union': {
        const meant = closest(issue.errors);
        if (meant !== undefined) return faultsOf(meant, tree, path);
        return [{ origin: nearestOrigin(tree, path), key: keyOf(path), message: issue.message }];
      }
      case 'custom':
      case 'invalid_element':
      case 'invalid_format':
      case 'invalid_type':
      case 'invalid_value':
      case 'not_multiple_of':
      case 'too_big':
      case 'too_small':
        return [{ origin: nearestOrigin(tree, path), key: keyOf(path), message: issue.message }];
    }
  });
}

/** The alternative that the writer meant: the one whose kind of value it is, wrong only further inside. */
function closest(alternatives: readonly (readonly Issue[])[]): readonly Issue[] | undefined {
  return alternatives.find((issues) =>
    issues.every(
      ({ code, path }) => path.length > 0 || code === 'unrecognized_keys' || code === 'custom',
    ),
  );
}

function unknownKey(tree: Tree, path: Path): Fault {
  const name = String(path.at(-1));
  const siblings = keysAt(path.slice(0, -1)).map((key) => key.name);
  const message =
    name === '<<'
      ? 'merge keys are YAML 1.1; write the keys out, or give the whole mapping an alias'
      : `no such key${didYouMean(name, siblings)}; allowed: ${siblings.join(', ')}`;
  return { origin: keyOrigin(tree, path), key: keyOf(path), message };
}

function keysAt(path: Path): readonly Key[] {
  return path.reduce<readonly Key[]>((keys, part, index) => {
    if (index === 1 && path[0] === 'upstreams') return keys;
    return keys.find(({ name }) => name === part)?.keys ?? [];
  }, outline());
}
