import { isRecord, type Tree } from './tree.ts';
import { WELL_KNOWN, type WellKnown } from './well-known.ts';

/**
 * The tree with the well-known registries under what it says of `upstreams`: each key of an entry
 * replaces the well-known one. An entry without a value means the defaults; `off`, or the `false` that
 * programs for YAML 1.1 write for it, takes a registry out, and the tree no longer holds it.
 */
export function withWellKnown(tree: Tree): Tree {
  const said = tree.value['upstreams'];
  if (said !== undefined && !isRecord(said)) return tree;
  const entries = Object.entries({ ...WELL_KNOWN, ...said })
    .filter(([, entry]) => !isOff(entry))
    .map(([name, entry]) => [name, merged(WELL_KNOWN[name], entry)] as const);
  return { ...tree, value: { ...tree.value, upstreams: Object.fromEntries(entries) } };
}

function isOff(entry: unknown): boolean {
  return entry === 'off' || entry === false;
}

function merged(known: WellKnown | undefined, entry: unknown): unknown {
  if (entry !== undefined && !isRecord(entry)) return entry;
  // A key without a value has its default, which here is the well-known one.
  const kept = Object.entries(known ?? {}).filter(([key]) => entry?.[key] === undefined);
  return { ...entry, ...Object.fromEntries(kept) };
}
