import type { Origin } from './fault.ts';

export type Path = readonly PropertyKey[];

/** Values as they were written, not checked yet, and where each was said. A key without a value holds `undefined`. */
export interface Tree {
  readonly value: Readonly<Record<string, unknown>>;
  readonly origins: ReadonlyMap<string, Places>;
}

/** For a fault with the key itself the one, for a fault with its value the other. */
export interface Places {
  readonly key: Origin;
  readonly value: Origin;
}

const DEFAULT: Origin = { kind: 'default' };

/** The key of a path in `Tree.origins`; unlike `keyOf` it never confuses `a.b` with `a`, `b`. */
export function placeOf(path: Path): string {
  return path.map(String).join('\n');
}

/** A path as people write it: `upstreams.docker.io.mirrors[0]`. */
export function keyOf(path: Path): string {
  return path
    .map((part, index) => {
      if (typeof part === 'number') return `[${part}]`;
      return index === 0 ? String(part) : `.${String(part)}`;
    })
    .join('');
}

/** Where exactly this was said; the default's origin when nobody did. */
export function originOf(tree: Tree, path: Path): Origin {
  return tree.origins.get(placeOf(path))?.value ?? DEFAULT;
}

/** Where the value, or what it would have to be in, was said. */
export function nearestOrigin(tree: Tree, path: Path): Origin {
  const found = tree.origins.get(placeOf(path));
  if (found !== undefined) return found.value;
  for (let length = path.length - 1; length > 0; length--) {
    const parent = tree.origins.get(placeOf(path.slice(0, length)));
    if (parent !== undefined) return parent.key;
  }
  return DEFAULT;
}

/** Where the name of the key was said. */
export function keyOrigin(tree: Tree, path: Path): Origin {
  return tree.origins.get(placeOf(path))?.key ?? nearestOrigin(tree, path);
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** What is at the path; `undefined` also where there is no such path. */
export function valueAt(value: unknown, path: Path): unknown {
  return path.reduce<unknown>(
    (at, part) => (isRecord(at) && Object.hasOwn(at, part) ? at[String(part)] : undefined),
    value,
  );
}

/** The tree with one more value said. Where something that is no mapping is in the way, that stays, for it is a fault of its own. */
export function withValue(
  tree: Tree,
  path: readonly string[],
  value: unknown,
  origin: Origin,
): Tree {
  const replaced = replace(tree.value, path, value);
  if (replaced === undefined) return tree;
  const origins = new Map(tree.origins);
  origins.set(placeOf(path), { key: origin, value: origin });
  return { value: replaced, origins };
}

function replace(
  at: unknown,
  [first, ...rest]: readonly string[],
  value: unknown,
): Readonly<Record<string, unknown>> | undefined {
  if (first === undefined || !(at === undefined || isRecord(at))) return undefined;
  if (rest.length === 0) return { ...at, [first]: value };
  const below = replace(at?.[first], rest, value);
  return below === undefined ? undefined : { ...at, [first]: below };
}
