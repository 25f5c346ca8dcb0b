import { RegistryError } from '../../core/errors.ts';
import type { Part, TarEntry } from '../../layer/tar-entry.ts';
import { printableName, printedNames } from '../../layer/name.ts';
import type { FileEntry } from './file-entry.ts';
import { layerAt, type ImageLayers, type ReadOptions } from './image-layers.ts';
import { LayerReader } from './layer-reader.ts';
import { Lookup, type Found } from './lookup.ts';
import { pathOf } from './path.ts';

export interface OpenFileOptions extends ReadOptions {
  /** The file as this layer has it, hidden by newer layers or not, rather than as a container sees it. */
  readonly layer?: number | undefined;
}

/** A file of an image that can be read; disposed, read or not, it closes what it reads from. */
export interface OpenedFile extends AsyncDisposable {
  /** The file itself, where links lead. */
  readonly entry: FileEntry;
  /**
   * Read once. The layer is fetched up to the file's end and less than 256 KiB beyond. If that was all of
   * it, from its beginning on, wrong bytes are DIGEST_INVALID.
   */
  readonly body: AsyncIterable<Uint8Array>;
  /** The same with holes told as how many zeros they are. */
  parts(): AsyncIterable<Part>;
}

const MOST_HARD_LINKS = 40;

/**
 * Opens the file that a container would see: newest layer first, deletions heeded, links of both
 * kinds followed across layers. Layers below the one that has it are never touched. Where that layer
 * has the path twice the first one counts, since finding out would mean to read the rest; where a link that
 * stands behind both led there, it is the later one.
 * @throws RegistryError FILE_UNKNOWN when there is no such file, or it is none: a folder, a device
 */
export async function openFile(
  image: ImageLayers,
  path: string,
  { layer, ...options }: OpenFileOptions = {},
): Promise<OpenedFile> {
  if (layer !== undefined) layerAt(image, layer);
  const lookup = new Lookup(image, options);
  try {
    const top = layer ?? image.layers.length - 1;
    const find = async (name: string): Promise<Found> => {
      const start = layer === undefined ? undefined : await lookup.findIn(pathOf(name), layer);
      return await fileAt(lookup, name, top, start);
    };
    return await opened(image, lookup, await asNamed(path, find), options);
  } catch (error) {
    await lookup[Symbol.asyncDispose]();
    throw error;
  }
}

/**
 * Finds a path, or else a name that is printed so: there is no other way to write one that is no text.
 * What was read for the one is not read again for the other.
 * @throws RegistryError FILE_UNKNOWN, of the path as it was written
 */
export async function asNamed<T>(path: string, find: (path: string) => Promise<T>): Promise<T> {
  try {
    return await find(path);
  } catch (error) {
    if (!isMissing(error)) throw error;
    for (const name of printedNames(path)) {
      const found = await find(name).catch((other: unknown) => {
        if (!isMissing(other)) throw other;
      });
      if (found !== undefined) return found;
    }
    throw error;
  }
}

/** Something that is there, and no file, is not missing. */
function isMissing(error: unknown): boolean {
  return (
    error instanceof RegistryError && error.code === 'FILE_UNKNOWN' && error.detail === undefined
  );
}

/** Follows hard links, each as of the layer that has it, until there is a file. */
export async function fileAt(
  lookup: Lookup,
  path: string,
  top: number,
  start?: Found,
): Promise<Found> {
  let found = start ?? (await lookup.find(path, top));
  if (found.entry.type === 'symlink') found = await lookup.find(path, top);
  for (let links = 0; links < MOST_HARD_LINKS; links += 1) {
    const { type, link, layer } = found.entry;
    if (type === 'file') return found;
    if (type !== 'hardlink') throw noFile(path, found.entry);
    found = await lookup.find(link ?? '', layer.index, 'keep');
  }
  throw new RegistryError('FILE_UNKNOWN', `${printableName(path)}: hard links lead in a circle`);
}

async function opened(
  image: ImageLayers,
  lookup: Lookup,
  { entry, ordinal }: Found,
  options: ReadOptions,
): Promise<OpenedFile> {
  const scan = lookup.scan(entry.layer.index);
  const { current } = scan;
  if (current !== undefined && scan.ordinal === ordinal) {
    scan.taken();
    return file(entry, scan.reader, current.archived, lookup);
  }
  // It was passed on the way to a link: the layer is read anew, up to it.
  await lookup[Symbol.asyncDispose]();
  const reader = new LayerReader(image, entry.layer.index, 'pieces', options);
  try {
    const archived = await nth(reader, ordinal ?? 0);
    return file(entry, reader, archived, reader);
  } catch (error) {
    await reader[Symbol.asyncDispose]();
    throw error;
  }
}

async function nth(reader: LayerReader, ordinal: number): Promise<TarEntry> {
  for (let left = ordinal; ; left -= 1) {
    const entry = await reader.next();
    if (entry === undefined) {
      throw new RegistryError('LAYER_INVALID', `layer ${reader.index} changed while it was read`);
    }
    if (left === 0) return entry;
  }
}

function file(
  entry: FileEntry,
  reader: LayerReader,
  archived: TarEntry,
  held: AsyncDisposable,
): OpenedFile {
  return {
    entry,
    body: toTheEnd(reader.content(archived), reader),
    parts: () => toTheEnd(reader.parts(archived), reader),
    [Symbol.asyncDispose]: () => held[Symbol.asyncDispose](),
  };
}

/** A clean end is one of right bytes, as far as that can be told without asking for more. */
async function* toTheEnd<T>(
  content: AsyncIterable<T>,
  reader: LayerReader,
): AsyncGenerator<T, void, undefined> {
  yield* content;
  await reader.settle();
}

function noFile(path: string, { type, path: at }: FileEntry): RegistryError {
  const shown = `/${printableName(at)}`;
  const what = type === 'character' || type === 'block' ? `${type} device` : type;
  const hint = type === 'directory' ? ': list it, or get it as a folder' : '';
  return new RegistryError(
    'FILE_UNKNOWN',
    `${printableName(path)} is no file but a ${what} (${shown})${hint}`,
    { detail: { type, path: at } },
  );
}
