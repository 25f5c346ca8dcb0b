import { stringify } from 'yaml';
import type { Origin } from './fault.ts';
import type { Loaded } from './load.ts';
import { outline, type Key } from './outline.ts';
import { masked } from './secret.ts';
import { isRecord, originOf, valueAt, type Tree } from './tree.ts';
import { WELL_KNOWN } from './well-known.ts';

/** The value in YAML, on one line. */
export function inline(value: unknown): string {
  return stringify(value, {
    singleQuote: true,
    collectionStyle: 'flow',
    flowCollectionPadding: false,
    lineWidth: 0,
  }).trim();
}

/**
 * The configuration in effect as YAML: loaded again it means the same, but for masked secrets. A
 * comment on each line says where the value comes from. Of upstreams it shows what is not left out.
 */
export function showSettings({ tree }: Pick<Loaded, 'tree'>): string {
  return `${outline()
    .flatMap((key) =>
      key.name === 'upstreams' ? upstreams(tree, key) : shown(tree, key, [key.name]),
    )
    .join('\n')}\n`;
}

function shown(tree: Tree, key: Key, path: readonly string[]): readonly string[] {
  const said = valueAt(tree.value, path);
  const indent = '  '.repeat(path.length - 1);
  if (key.keys.length === 0) {
    const value = said ?? (path[0] === 'upstreams' ? undefined : key.default);
    return value === undefined
      ? []
      : [`${indent}${key.name}: ${inline(masked(value, path))}  # ${from(originOf(tree, path))}`];
  }
  if (said === undefined && (key.default === undefined || path[0] === 'upstreams')) return [];
  const below = key.keys.flatMap((inner) => shown(tree, inner, [...path, inner.name]));
  return below.length === 0 ? [] : [`${indent}${key.name}:`, ...below];
}

function upstreams(tree: Tree, { name: top, keys }: Key): readonly string[] {
  const entries = isRecord(tree.value[top]) ? tree.value[top] : {};
  const off = Object.keys(WELL_KNOWN).filter((name) => !Object.hasOwn(entries, name));
  return [
    `${top}:`,
    ...Object.keys(entries).flatMap((name) => {
      const below = keys.flatMap((key) => shown(tree, key, key.path.with(1, name)));
      const origin = from(originOf(tree, [top, name]));
      const [suffix, end] = below.length === 0 ? [' {}', `  # ${origin}`] : ['', ''];
      return [`  ${inline(name)}:${suffix}${end}`].concat(below);
    }),
    ...off.map((name) => `  ${name}: off  # ${from(originOf(tree, [top, name]))}`),
  ];
}

function from(origin: Origin): string {
  switch (origin.kind) {
    case 'default':
      return 'default';
    case 'file':
      return `${origin.file}:${origin.line}`;
    case 'environment':
      return `environment ${origin.variable}`;
    case 'flag':
      return `flag ${origin.flag}`;
  }
}
