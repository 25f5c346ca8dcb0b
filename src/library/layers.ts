/** `layover/layers`: the files of an image, and what one layer is made of. */
export type { FetchedEvent, ImageLayers, ReadOptions } from '../image/files/image-layers.ts';
export type { Fate, FileEntry, FileType, LayerRef } from '../image/files/file-entry.ts';
export {
  listImage,
  listLayer,
  listLayers,
  listVersions,
  type ListOptions,
} from '../image/files/list.ts';
export { findFiles } from '../image/files/find.ts';
export { openFile, type OpenedFile, type OpenFileOptions } from '../image/files/open-file.ts';
export { getPath, saveLayer, type GetOptions, type Got } from '../image/files/get.ts';
export {
  getLayer,
  getLayerPath,
  getVersions,
  type GotVersions,
} from '../image/files/get-layers.ts';
export {
  diffImages,
  type Compared,
  type FileChange,
  type ImageDiff,
  type LayerChanges,
} from '../image/files/diff.ts';
export { decompress, type Compression, type Decompressed } from '../layer/decompress.ts';
export type { Bytes } from '../layer/bytes.ts';
export type { TarEntry, TarFacts, TarType } from '../layer/tar-entry.ts';
export { walkTar } from '../layer/tar.ts';
