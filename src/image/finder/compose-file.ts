import { isMap, isSeq, type Node, type YAMLMap } from 'yaml';
import type { Report } from './finding.ts';
import { interpolate, InterpolationError, type Variables } from './interpolate.ts';
import { judge, unusable } from './judge.ts';
import { Anchors, asNode, at, keyOf, offsetOf, textOf } from './tree.ts';

/** How many maps a service may be put together from. */
const MOST_MERGED = 32;

/** Volumes of a service that are looked at. */
const MOST_VOLUMES = 1_000;

/** Characters. */
const LONGEST = 2048;

/** Whether the document is a compose file: it has services, and is no Kubernetes object. */
export function isComposeFile(root: Node): root is YAMLMap {
  return isMap(root) && isMap(at(root, 'services')) && at(root, 'apiVersion') === undefined;
}

/**
 * Finds the images of the services of a compose file, whatever their profile, and of volumes that are
 * images, with variables put in. Services that have none, because they are built, are passed over and told.
 */
export function findInCompose(root: YAMLMap, variables: Variables, report: Report): void {
  const anchors = new Anchors();
  anchors.noteAll(root);
  const services = at(root, 'services');
  if (!isMap(services)) return;
  for (const { key, value } of services.items) {
    const [name, service] = [keyOf(key), anchors.resolve(asNode(value))];
    if (name === undefined || !isMap(service)) continue;
    const path = `services.${name}`;
    const tell = (node: Node, below: string): void =>
      image(anchors.resolve(node), node, { path: `${path}.${below}`, variables, report });
    const found = merged(service, 'image', anchors);
    if (found !== undefined) tell(found, 'image');
    else report(offsetOf(asNode(key)), path, { kind: 'skipped', reason: why(service, anchors) });
    volumes(service, anchors, tell);
  }
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

interface Telling {
  readonly path: string;
  readonly variables: Variables;
  readonly report: Report;
}

function image(target: unknown, node: Node, { path, variables, report }: Telling): void {
  const text = textOf(target);
  if (text === undefined || text.length > LONGEST) {
    return report(offsetOf(node), path, unusable(text ?? '', 'not the name of an image'));
  }
  try {
    const { text: name, unset } = interpolate(text, variables);
    const judgement = judge(name);
    if (unset.length === 0 || judgement.kind === 'image') {
      return report(offsetOf(node), path, judgement);
    }
    report(offsetOf(node), path, unusable(text, `nobody has set ${unset.join(', ')}`));
  } catch (error) {
    if (!(error instanceof InterpolationError)) throw error;
    report(offsetOf(node), path, unusable(text, error.message));
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
