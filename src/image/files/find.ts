import type { FileEntry } from './file-entry.ts';
import { parseGlob } from './glob.ts';
import type { ImageLayers } from './image-layers.ts';
import { listImage, type ListOptions } from './list.ts';

/** The entries of `listImage` whose path the pattern matches. @throws RegistryError NAME_INVALID */
export function findFiles(
  image: ImageLayers,
  pattern: string,
  options: ListOptions = {},
): AsyncGenerator<FileEntry, void, undefined> {
  const matches = parseGlob(pattern);
  return matching(listImage(image, options), matches);
}

async function* matching(
  entries: AsyncIterable<FileEntry>,
  matches: (path: string) => boolean,
): AsyncGenerator<FileEntry, void, undefined> {
  for await (const entry of entries) if (matches(entry.path)) yield entry;
}
