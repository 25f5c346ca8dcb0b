import { RegistryError } from '../core/errors.ts';
import type { FileEntry } from '../image/files/file-entry.ts';
import type { ImageLayers } from '../image/files/image-layers.ts';
import { listImage, type ListOptions } from '../image/files/list.ts';
import { Lookup } from '../image/files/lookup.ts';
import { asNamed } from '../image/files/open-file.ts';
import { isWithin, parentOf, pathOf } from '../image/files/path.ts';
import { printableName } from '../layer/name.ts';

/** `children`: what is directly in a folder. `all`: everything below it. */
export type Depth = 'children' | 'all';

/**
 * Of a listing what lies in a folder, or the entries of the path itself where it is none.
 * @throws RegistryError FILE_UNKNOWN, at the end, when the listing has nothing of it
 */
export async function* entriesBelow(
  entries: AsyncIterable<FileEntry>,
  path: string,
  depth: Depth,
): AsyncGenerator<FileEntry, void, undefined> {
  const found = yield* below(entries, path, depth, 'told');
  if (found !== 'nothing') return;
  throw new RegistryError('FILE_UNKNOWN', `no such file: /${printableName(pathOf(path))}`);
}

/**
 * The same of the file system that a container would see, where links lead as they do there. What
 * lies where the path says is told while the layers are read; only a link makes them be read again.
 * @throws RegistryError FILE_UNKNOWN
 */
export async function* imageEntriesBelow(
  image: ImageLayers,
  path: string,
  depth: Depth,
  options: ListOptions,
): AsyncGenerator<FileEntry, void, undefined> {
  const found = yield* below(listImage(image, options), path, depth, 'followed');
  if (found === 'entries') return;
  await using lookup = new Lookup(image, options);
  const top = image.layers.length - 1;
  const { entry } = await asNamed(path, (name) => lookup.find(name, top));
  if (entry.path === pathOf(path)) return;
  yield* below(listImage(image, options), entry.path, depth, 'told');
}

async function* below(
  entries: AsyncIterable<FileEntry>,
  path: string,
  depth: Depth,
  links: 'told' | 'followed',
): AsyncGenerator<FileEntry, 'entries' | 'link' | 'nothing', undefined> {
  const folder = pathOf(path);
  let found: 'entries' | 'link' | 'nothing' = folder === '' ? 'entries' : 'nothing';
  for await (const entry of entries) {
    if (!isWithin(entry.path, folder)) continue;
    const itself = entry.path === folder;
    if (itself && links === 'followed' && entry.type === 'symlink' && entry.fate === undefined) {
      found = 'link';
      continue;
    }
    if (found === 'nothing') found = 'entries';
    if (itself ? entry.type !== 'directory' : depth === 'all' || parentOf(entry.path) === folder) {
      yield entry;
    }
  }
  return found;
}
