import { printedNames } from '../../layer/name.ts';
import { LayerReader } from './layer-reader.ts';
import { fileEntry, implicitFolder, layerRef, type FileEntry } from './file-entry.ts';
import type { ImageLayers, ReadOptions } from './image-layers.ts';
import { Overlay } from './overlay.ts';
import { isWithin, pathOf } from './path.ts';

export interface ListOptions extends ReadOptions {
  /** `visible`: what a container sees. `all`: every entry, with the fate of those it does not, and whiteouts. */
  readonly versions?: 'visible' | 'all';
}

/** The entries of one layer as they stand there, whiteouts told as such. */
export async function* listLayer(
  image: ImageLayers,
  index: number,
  options: ReadOptions = {},
): AsyncGenerator<FileEntry, void, undefined> {
  await using reader = new LayerReader(image, index, 'stream', options);
  const layer = layerRef(image.layers, index);
  for await (const entry of reader.entries()) yield fileEntry(entry, layer);
}

/** The same for every layer, the base first. */
export async function* listLayers(
  image: ImageLayers,
  options: ReadOptions = {},
): AsyncGenerator<FileEntry, void, undefined> {
  for (const index of image.layers.keys()) yield* listLayer(image, index, options);
}

/**
 * The file system that a container would see. Streams: an entry is told as soon as it is read, newest
 * layer first; folders that are only implied come last. Where a layer has a path twice, the later
 * entry counts and is told with `repeated`.
 */
export async function* listImage(
  image: ImageLayers,
  { versions = 'visible', ...options }: ListOptions = {},
): AsyncGenerator<FileEntry, void, undefined> {
  const overlay = new Overlay();
  for (const index of [...image.layers.keys()].toReversed()) {
    for await (const entry of listLayer(image, index, options)) {
      const { fate, repeated } = overlay.add(entry);
      const marker = entry.type === 'whiteout' || entry.type === 'opaque';
      if (versions === 'visible' && (marker || fate !== undefined)) continue;
      yield {
        ...entry,
        ...(repeated && { repeated }),
        ...(fate !== undefined && !marker && { fate }),
      };
    }
    if (versions === 'visible' && index > 0 && overlay.closes('', index)) break;
  }
  for (const [path, layer] of overlay.implicit()) yield implicitFolder(path, layer);
}

/**
 * Every version of one path that any layer has, newest first, each with its fate, and what deleted it: whiteouts
 * and opaque folders on its way; of names that are printed as the path, too. Links are not followed. Each version can be had by its layer (`openFile`).
 */
export async function* listVersions(
  image: ImageLayers,
  path: string,
  options: ReadOptions = {},
): AsyncGenerator<FileEntry, void, undefined> {
  const wanted = [path, ...printedNames(path)].map(pathOf);
  for await (const entry of listImage(image, { ...options, versions: 'all' })) {
    const deletes = entry.type === 'whiteout' || entry.type === 'opaque';
    if (wanted.some((one) => entry.path === one || (deletes && isWithin(one, entry.path)))) {
      yield entry;
    }
  }
}
