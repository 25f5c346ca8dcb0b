import type { Context } from '../../context.ts';
import { isWithin, pathOf } from '../../../image/files/path.ts';
import type { Arguments } from '../argparse.ts';
import { ArgumentError } from '../argparse.ts';
import { peekedBy } from './desk.ts';
import { modeText, shownName, sizeText, timeText } from './listing.ts';
import type { Kept, Peeked, PeekedLayer } from './peeked.ts';
import { readTarget, Refusal, targetName } from './target.ts';
import { number } from './walk.ts';

/** `fslog IMAGE [PATH]`, `fslog IMAGE LAYER PATH --single-layer`, `fslog --search PATTERN [IMAGE [LAYER]]`. */
export async function fslog({ values }: Arguments, context: Context): Promise<number> {
  using peeked = peekedBy(context);
  const [pattern, image, second] = ['search', 'image', 'second'].map((name) => values.get(name));
  const name = image === undefined ? undefined : nameOf(image, values.get('registry'));
  const say = (lines: Iterable<string>): number => {
    for (const line of lines) context.output.out(`${line}\n`);
    return 0;
  };
  if (pattern !== undefined) return say(searchLines(peeked, pattern, name, layerOf(second)));
  if (name === undefined) {
    throw new ArgumentError('the following arguments are required: image');
  }
  if (!values.has('single-layer')) return say(mergedLines(peeked, name, second ?? '/'));
  const layer = layerOf(second);
  if (layer === undefined) throw new ArgumentError('the following arguments are required: layer');
  return say(singleLines(peeked, name, layer, values.get('third') ?? '/'));
}

/** `fslog-search PATTERN [IMAGE [LAYER]]`. */
export async function fslogSearch({ values }: Arguments, context: Context): Promise<number> {
  using peeked = peekedBy(context);
  const [pattern = '', image, layer] = ['pattern', 'image', 'layer'].map((one) => values.get(one));
  const name = image === undefined ? undefined : nameOf(image, values.get('registry'));
  for (const line of searchLines(peeked, pattern, name, layerOf(layer))) {
    context.output.out(`${line}\n`);
  }
  return 0;
}

/** What layers have in a folder, the highest first, and what became of it. */
export function* mergedLines(
  peeked: Peeked,
  image: string,
  folder: string,
): Generator<string, void> {
  const layers = peekedOf(peeked, image);
  const known = layers.filter(({ layer }) => layer !== undefined);
  if (known.length === 0) return yield `No peeked layers of ${image}`;
  const all = layers.flatMap(({ layer, index }) => {
    if (layer === undefined) return [];
    return peeked.children(layer, pathOf(folder)).map((entry) => ({ entry, index }));
  });
  const shown = all
    .filter(({ entry }) => !isWhiteout(entry))
    .toSorted((a, b) => compare(a.entry.path, b.entry.path) || b.index - a.index);
  if (known.length < layers.length) {
    yield `Layers peeked: ${known.length} of ${layers.length}`;
  }
  if (shown.length === 0) yield `No entries found in ${folder}`;
  const hides = hidersOf(peeked, layers);
  let before: string | undefined;
  for (const { entry, index } of shown) {
    const deleted = hides.some((hider) => hider.index > index && hider.hides(entry.path));
    const fate = before === entry.path ? ' (overridden)' : deleted ? ' (deleted)' : '';
    before = entry.path;
    yield `${line(entry)} [L${index}]${fate}`;
  }
}

/** What one layer has in a folder, whiteouts being the files they are. */
export function* singleLines(
  peeked: Peeked,
  image: string,
  index: number,
  folder: string,
): Generator<string, void> {
  const found = peekedOf(peeked, image)[index]?.layer;
  if (found === undefined) return yield `Layer ${index} of ${image} was not peeked`;
  const entries = peeked.children(found, pathOf(folder));
  if (entries.length === 0) yield `No entries found in ${folder}`;
  for (const entry of entries) yield line(entry);
}

export function* searchLines(
  peeked: Peeked,
  pattern: string,
  image?: string,
  layer?: number,
): Generator<string, void> {
  let none = true;
  for (const entry of peeked.search(pattern, image, layer)) {
    none = false;
    yield `${line({ ...entry, name: entry.path })} [${entry.image} layer ${entry.layer}]`;
  }
  if (none) yield `No entries found matching '${pattern}'`;
}

export function nameOf(text: string, registry: string | undefined): string {
  return targetName(readTarget(text, registry));
}

interface Place {
  readonly index: number;
  readonly layer: PeekedLayer | undefined;
}

function peekedOf(peeked: Peeked, image: string): readonly Place[] {
  return peeked.layersOf(image).map((digest, index) => ({ index, layer: peeked.layer(digest) }));
}

/** What takes paths away from the layers below (image-spec layer.md, "Whiteouts"). */
function hidersOf(peeked: Peeked, layers: readonly Place[]) {
  return layers.flatMap(({ index, layer }) => {
    if (layer === undefined) return [];
    return peeked.whiteouts(layer).map(({ path }) => {
      const at = path.replace(/\.wh\.([^/]*)$/, '$1');
      const folder = path.slice(0, Math.max(0, path.lastIndexOf('/')));
      const opaque = path.endsWith('.wh..wh..opq');
      const hides = (one: string): boolean =>
        opaque ? one !== folder && isWithin(one, folder) : isWithin(one, at);
      return { index, hides };
    });
  });
}

function isWhiteout({ path }: Kept): boolean {
  return path.slice(path.lastIndexOf('/') + 1).startsWith('.wh.');
}

function line(entry: Kept): string {
  const size = sizeText(entry.size).padStart(10);
  return `${modeText(entry)}  ${size}  ${timeText(entry.mtime)}  ${shownName(entry).padEnd(50)}`;
}

function layerOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const index = number(text);
  if (Number.isNaN(index)) throw new Refusal(`[!] Error: not a layer: ${text}`);
  return index;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
