import { isMap, isSeq, type Node, type YAMLMap } from 'yaml';
import type { Follow, Report } from './finding.ts';
import { interpolate, InterpolationError, type Variables } from './interpolate.ts';
import { judge, unusable } from './judge.ts';
import { Anchors, asNode, at, keyOf, isText, offsetOf, textOf } from './tree.ts';

/** How many maps a service may be put together from. */
const MOST_MERGED = 32;

/** Volumes of a service that are looked at. */
const MOST_VOLUMES = 1_000;

/** Files that are included, of one file. */
const MOST_INCLUDED = 1_000;

/** Characters. */
const LONGEST = 2048;

/** What is not in a file of this machine, such as a repository of git or an artifact. */
const ELSEWHERE = /^[a-z][a-z0-9+.-]*:\/\/|^oci:|^git@|\.git(?:#|$)/i;

/** Policies with which a service never asks a registry. */
const NOT_PULLED = new Set(['never', 'build']);

export interface ComposeOptions {
  readonly variables: Variables;
  readonly report: Report;
  /** Told of files that services are in, too; where left out, it is reported that they are passed over. */
  readonly follow?: Follow | undefined;
  /** The one that counts, of a file that another extends; every one if left out. */
  readonly service?: string | undefined;
}

/** Whether the document is a compose file: it has services, and is no Kubernetes object. */
export function isComposeFile(root: Node): root is YAMLMap {
  return isMap(root) && isMap(at(root, 'services')) && at(root, 'apiVersion') === undefined;
}

/**
 * Finds the images of the services of a compose file, whatever their profile, and of volumes that are
 * images, with variables put in. Services that have none, because they are built, are passed over and told.
 */
export function findInCompose(root: YAMLMap, options: ComposeOptions): void {
  const { variables, report, service: only } = options;
  const anchors = new Anchors();
  anchors.noteAll(root);
  if (only === undefined) included(root, anchors, options);
  const services = at(root, 'services');
  if (!isMap(services)) return;
  const wanted = only === undefined ? undefined : chainOf(services, only, anchors);
  for (const { key, value } of services.items) {
    const [name, service] = [keyOf(key), anchors.resolve(asNode(value))];
    if (name === undefined || !isMap(service)) continue;
    if (wanted?.delete(name) === false) continue;
    const path = `services.${name}`;
    const offset = offsetOf(asNode(key));
    const has = (inner: string): boolean => merged(service, inner, anchors) !== undefined;
    const tell = (node: Node, below: string, built?: true): void =>
      image(anchors.resolve(node), node, { path: `${path}.${below}`, variables, report, built });
    const policy = textOf(anchors.resolve(merged(service, 'pull_policy', anchors))) ?? '';
    const found = merged(service, 'image', anchors);
    const extended = has('build') ? undefined : extendedFile(service, anchors);
    if (NOT_PULLED.has(policy)) {
      report(offset, path, {
        kind: 'skipped',
        reason: `pull_policy is ${policy}: it is not pulled`,
      });
    } else if (found !== undefined) {
      tell(found, 'image', has('build') ? true : undefined);
    } else if (extended !== undefined) {
      followed(extended.file, { ...extended, offset, path: `${path}.extends`, options });
    } else {
      report(offset, path, { kind: 'skipped', reason: why(service, anchors) });
    }
    volumes(service, anchors, tell);
  }
  for (const name of wanted ?? []) {
    report(
      0,
      `services.${name}`,
      unusable('', 'another file extends this service, which is not here'),
    );
  }
}

/** The service, and those of the same file that it extends. */
function chainOf(services: YAMLMap, first: string, anchors: Anchors): Set<string> {
  const chain = new Set<string>();
  for (let name: string | undefined = first; name !== undefined && !chain.has(name);) {
    chain.add(name);
    const service: unknown = anchors.resolve(at(services, name));
    if (!isMap(service) || merged(service, 'image', anchors) !== undefined) break;
    const extended = anchors.resolve(merged(service, 'extends', anchors));
    if (!isMap(extended)) name = textOf(extended);
    else if (at(extended, 'file') !== undefined) name = undefined;
    else name = textOf(anchors.resolve(at(extended, 'service')));
    if (chain.size >= MOST_MERGED) break;
  }
  return chain;
}

function volumes(service: YAMLMap, anchors: Anchors, tell: (node: Node, below: string) => void) {
  const list = anchors.resolve(merged(service, 'volumes', anchors));
  if (!isSeq(list)) return;
  for (const [index, item] of list.items.slice(0, MOST_VOLUMES).entries()) {
    const volume = anchors.resolve(item);
    if (!isMap(volume) || textOf(at(volume, 'type')) !== 'image') continue;
    const source = at(volume, 'source');
    if (source !== undefined) tell(source, `volumes[${index}].source`);
  }
}

/** Files that the whole file includes (compose-spec, "Include"). */
function included(root: YAMLMap, anchors: Anchors, options: ComposeOptions): void {
  const list = anchors.resolve(at(root, 'include'));
  if (!isSeq(list)) return;
  for (const [index, item] of list.items.slice(0, MOST_INCLUDED).entries()) {
    const one = anchors.resolve(item);
    const named = isMap(one) ? anchors.resolve(at(one, 'path')) : one;
    for (const file of isSeq(named) ? named.items.slice(0, MOST_INCLUDED) : [named]) {
      const offset = offsetOf(asNode(item));
      followed(anchors.resolve(file), { offset, path: `include[${index}]`, options });
    }
  }
}

interface Following {
  readonly offset: number;
  readonly path: string;
  readonly service?: string | undefined;
  readonly options: ComposeOptions;
}

function followed(target: unknown, { offset, path, service, options }: Following): void {
  const { variables, report, follow } = options;
  const text = textOf(target) ?? '';
  const skip = (reason: string): void => report(offset, path, { kind: 'skipped', reason });
  const named = filled(text, variables);
  if (text === '' || typeof named !== 'string') {
    const reason = typeof named === 'string' ? 'not the name of a file' : named.reason;
    return report(offset, path, unusable(text, reason));
  }
  if (ELSEWHERE.test(named)) return skip(`${named} is not a file of this machine`);
  if (follow === undefined) return skip(`${named} is not looked into`);
  follow(offset, path, { file: named, service });
}

/** The file of the service that this one extends; `undefined` where that is in the same file. */
function extendedFile(
  service: YAMLMap,
  anchors: Anchors,
): { readonly file: Node; readonly service: string | undefined } | undefined {
  const extended = anchors.resolve(merged(service, 'extends', anchors));
  if (!isMap(extended)) return undefined;
  const file = asNode(anchors.resolve(at(extended, 'file')));
  const name = textOf(anchors.resolve(at(extended, 'service')));
  return file === undefined ? undefined : { file, service: name };
}

interface Telling {
  readonly path: string;
  readonly variables: Variables;
  readonly report: Report;
  readonly built?: true | undefined;
}

function image(target: unknown, node: Node, { path, variables, report, built }: Telling): void {
  const text = textOf(target);
  if (text === undefined || text.length > LONGEST || !isText(target)) {
    return report(offsetOf(node), path, unusable(text ?? '', 'not the name of an image'));
  }
  const name = filled(text, variables, (one) => judge(one).kind === 'image');
  if (typeof name !== 'string') return report(offsetOf(node), path, unusable(text, name.reason));
  const judgement = judge(name);
  const told = judgement.kind === 'image' && built ? { ...judgement, built } : judgement;
  report(offsetOf(node), path, told);
}

/** With its variables put in, or why not: those that nobody has set leave nothing to go on with, unless it will do. */
function filled(
  text: string,
  variables: Variables,
  willDo: (filled: string) => boolean = () => false,
): string | { readonly reason: string } {
  try {
    const { text: name, unset } = interpolate(text, variables);
    if (unset.length === 0 || willDo(name)) return name;
    return { reason: `nobody has set ${unset.join(', ')}` };
  } catch (error) {
    if (!(error instanceof InterpolationError)) throw error;
    return { reason: error.message };
  }
}

function why(service: YAMLMap, anchors: Anchors): string {
  const has = (key: string): boolean => merged(service, key, anchors) !== undefined;
  if (has('build')) return 'it is built, and names no image';
  if (has('extends')) return 'it extends another service, and names no image itself';
  if (has('provider')) return 'a provider stands for it';
  return 'it names no image';
}

/** The value under the key, of the map itself or of those merged into it with `<<`, the first that has it. */
function merged(map: YAMLMap, key: string, anchors: Anchors): Node | undefined {
  const pending: YAMLMap[] = [map];
  for (let count = 0; count < MOST_MERGED; count += 1) {
    const next = pending.shift();
    if (next === undefined) return undefined;
    const own = at(next, key);
    if (own !== undefined) return own;
    const more = anchors.resolve(at(next, '<<'));
    const maps = isSeq(more) ? more.items.map((item) => anchors.resolve(item)) : [more];
    pending.unshift(...maps.filter((one) => isMap(one)));
  }
  return undefined;
}
