import { isAlias, isMap, isScalar, isSeq, type Node, type YAMLMap } from 'yaml';

/** The text of a scalar as it was written: `1.10` stays that, and is no number. `undefined` for anything else. */
export function textOf(node: unknown): string | undefined {
  if (!isScalar(node)) return undefined;
  const { value, source } = node;
  if (typeof value === 'string') return value;
  if (value === null || value === undefined) return '';
  return source ?? JSON.stringify(value);
}

/** Whether it is a scalar and neither a number nor a truth value. */
export function isText(node: unknown): boolean {
  return (
    isScalar(node) &&
    (typeof node.value === 'string' || node.value === null || node.value === undefined)
  );
}

/** What the anchors that have been passed stand for. An alias means the last one before it. */
export class Anchors {
  readonly #known = new Map<string, Node>();

  note(node: Node): void {
    if (!isAlias(node) && 'anchor' in node && node.anchor !== undefined) {
      this.#known.set(node.anchor, node);
    }
  }

  /** What an alias stands for, or the node itself. An alias of an alias there is not. */
  resolve(node: unknown): unknown {
    return isAlias(node) ? this.#known.get(node.source) : node;
  }

  /** Notes every anchor in the node, for parts that are not walked. */
  noteAll(node: unknown): void {
    const pending: unknown[] = [node];
    for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
      if (isMap(next)) {
        this.note(next);
        // From the last to the first, so that they are noted in their order.
        for (const { value } of next.items.toReversed()) pending.push(value ?? undefined);
      } else if (isSeq(next)) {
        this.note(next);
        pending.push(...next.items.toReversed());
      } else if (isScalar(next)) {
        this.note(next);
      }
    }
  }
}

/** Large maps by their keys: of one into which many merge, many keys are asked for. */
const indexes = new WeakMap<YAMLMap, ReadonlyMap<string, unknown>>();
const LARGE = 32;

/** The value under a key, as it stands there; of several the first. */
export function at(map: YAMLMap, key: string): Node | undefined {
  if (map.items.length > LARGE) return asNode(indexOf(map).get(key));
  return asNode(map.items.find((pair) => keyOf(pair.key) === key)?.value);
}

function indexOf(map: YAMLMap): ReadonlyMap<string, unknown> {
  const known = indexes.get(map);
  if (known !== undefined) return known;
  const index = new Map<string, unknown>();
  for (const { key, value } of map.items) {
    const name = keyOf(key);
    if (name !== undefined && !index.has(name)) index.set(name, value);
  }
  indexes.set(map, index);
  return index;
}

/** A key that is text; `undefined` for any other. */
export function keyOf(key: unknown): string | undefined {
  return isScalar(key) ? textOf(key) : undefined;
}

/** `undefined` for what is no node of a document. */
export function asNode(value: unknown): Node | undefined {
  return isMap(value) || isSeq(value) || isScalar(value) || isAlias(value) ? value : undefined;
}

/** Characters from the start of the document. */
export function offsetOf(node: unknown): number {
  const range =
    isMap(node) || isSeq(node) || isScalar(node) || isAlias(node) ? node.range : undefined;
  return range?.[0] ?? 0;
}
