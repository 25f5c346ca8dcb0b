import { layerAt, type ImageLayers, type ReadOptions } from '../../../image/files/image-layers.ts';
import { LayerReader } from '../../../image/files/layer-reader.ts';
import { printableName } from '../../../layer/name.ts';
import { entryLine, sizeText, type Listed, type Style } from './listing.ts';
import type { Peeked, PeekedLayer } from './peeked.ts';

/** Characters that are handed on together. */
const PIECE = 64 * 1024;

export interface PeekOptions extends ReadOptions {
  /** What is known of layers, and where it is kept. */
  readonly peeked: Peeked;
  /** Called for a layer that is known: whether it is to be read anew. */
  readonly again: (layer: PeekedLayer, index: number) => Promise<'read' | 'kept'>;
}

/** Reads the layer to its end, against its digest, unless it is known. @throws RegistryError, as `LayerReader.next` does */
export async function peek(
  image: ImageLayers,
  index: number,
  { peeked, again, signal }: PeekOptions,
): Promise<PeekedLayer> {
  const { digest } = layerAt(image, index);
  const known = peeked.layer(digest);
  if (known !== undefined && (await again(known, index)) === 'kept') return known;
  let downloaded = 0;
  await using reader = new LayerReader(image, index, 'verified', {
    signal,
    observe: ({ bytes }) => (downloaded += bytes),
  });
  return await peeked.keep(digest, listed(reader), () => downloaded);
}

/** The screen of one layer, piece by piece. */
export async function* layerScreen(
  image: ImageLayers,
  index: number,
  style: Style,
  options: PeekOptions,
): AsyncGenerator<string, void, undefined> {
  const { digest, size } = layerAt(image, index);
  yield `\n[Layer ${index}] ${digest}\n           Size: ${sizeText(size)}\n`;
  const layer = await peek(image, index, options);
  const { downloaded, entries } = layer;
  yield `  [Stats] Downloaded: ${sizeText(downloaded)} of ${sizeText(size)} (${percent(downloaded, size)})\n`;
  yield `  [Stats] Files found: ${entries} (complete)\n\n  Layer contents:\n`;
  yield* linesOf(layer, style, options.peeked);
}

/** Every layer, and then the entries of all of them, the base first. */
export async function* bulkScreen(
  image: ImageLayers,
  style: Style,
  options: PeekOptions & { readonly progress: (text: string) => void },
): AsyncGenerator<string, void, undefined> {
  const layers: PeekedLayer[] = [];
  const count = image.layers.length;
  for (const index of image.layers.keys()) {
    options.progress(`  [${index + 1}/${count}] Peeking layer ${index + 1}/${count}\n`);
    layers.push(await peek(image, index, options));
  }
  const sum = (of: (layer: PeekedLayer) => number) => layers.reduce((all, one) => all + of(one), 0);
  yield `\nLayers peeked: ${count}\n`;
  yield `Total downloaded: ${sizeText(sum(({ downloaded }) => downloaded))}\n`;
  yield `Total files found: ${sum(({ entries }) => entries)}\n\nCombined filesystem:\n`;
  for (const layer of layers) yield* linesOf(layer, style, options.peeked);
}

export function percent(part: number, whole: number): string {
  return `${(whole === 0 ? 100 : (100 * part) / whole).toFixed(1)}%`;
}

function* linesOf(layer: PeekedLayer, style: Style, peeked: Peeked): Generator<string, void> {
  let piece = '';
  for (const entry of peeked.entries(layer)) {
    piece += `${entryLine(entry, style)}\n`;
    if (piece.length < PIECE) continue;
    yield piece;
    piece = '';
  }
  if (piece !== '') yield piece;
}

async function* listed(reader: LayerReader): AsyncGenerator<Listed, void, undefined> {
  for await (const entry of reader.entries()) {
    const { type, mode, uid, gid, size, mtime, link } = entry;
    // What is no text cannot be kept as text: it is kept as it is shown.
    const name = printableName(entry.name).replace(/(?<=.)\/+$/, '');
    const target = link === undefined ? undefined : printableName(link);
    yield { name, type, mode, uid, gid, size, mtime, link: target };
  }
}
