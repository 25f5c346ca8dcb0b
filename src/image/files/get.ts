import type { FileHandle } from 'node:fs/promises';
import path from 'node:path';
import { RegistryError } from '../../core/errors.ts';
import { isRecord } from '../../core/shape.ts';
import {
  onDisk,
  isFolder,
  kindAt,
  workshop,
  writeParts,
  writeWhole,
  type WriteOptions,
} from './disk.ts';
import { layerAt, type ImageLayers, type ReadOptions } from './image-layers.ts';
import { layerBytes } from './layer-bytes.ts';
import { openFile, type OpenFileOptions } from './open-file.ts';
import { baseOf, pathOf, type ImagePath } from './path.ts';
import { place } from './place.ts';
import { Staging, type Manners, type Skipped } from './staging.ts';
import { stageTree } from './tree.ts';
import { NONE_LOST, WithoutXattrs, type LostXattrs } from './xattrs.ts';

export interface GetOptions extends ReadOptions {
  /** `drop` when left out. */
  readonly specialBits?: Manners['specialBits'];
  /** `own` when left out. */
  readonly owners?: Manners['owners'];
  /** Of a file: `refuse` where its last name is not the user's own word. `follow` when left out. */
  readonly links?: WriteOptions['links'];
}

/** What was written, and what was not. */
export interface Got {
  readonly files: number;
  readonly bytes: number;
  readonly skipped: readonly Skipped[];
  readonly xattrs: LostXattrs;
  /** Where the file or folder is now. */
  readonly target: string;
}

/**
 * Writes a file or a folder, as a container sees it, to the disk. A folder becomes the target, or is
 * merged into it where it exists; a file goes into a target that is a folder. Everything is made
 * aside and verified first: on any failure the target is as it was.
 * @throws RegistryError FILE_UNKNOWN, STORAGE_UNAVAILABLE, LAYER_INVALID, DIGEST_INVALID, INTERRUPTED
 */
export async function getPath(
  image: ImageLayers,
  at: string,
  target: string,
  options: GetOptions = {},
): Promise<Got> {
  if (pathOf(at) === '') return getTree(image, '', target, options);
  try {
    return await getFile(image, at, target, options);
  } catch (error) {
    const folder = folderIn(error);
    if (folder === undefined) throw error;
    return getTree(image, folder, target, options);
  }
}

/**
 * Writes the layer's blob as it is, once its digest is right.
 * @throws RegistryError STORAGE_UNAVAILABLE, DIGEST_INVALID, SIZE_INVALID, INTERRUPTED
 */
export async function saveLayer(
  image: ImageLayers,
  index: number,
  file: string,
  options: ReadOptions & Pick<GetOptions, 'links'> = {},
): Promise<Got> {
  layerAt(image, index);
  const bytes = await writeWhole(
    file,
    (handle) => writeParts(handle, layerBytes(image, index, 'verified', options)),
    { links: options.links, signal: options.signal },
  );
  return { files: 1, bytes, skipped: [], xattrs: NONE_LOST, target: file };
}

/** One file. @param options its layer, where that is not the one that a container sees it in */
export async function getFile(
  image: ImageLayers,
  at: string,
  target: string,
  options: GetOptions & Pick<OpenFileOptions, 'layer'>,
): Promise<Got> {
  await using opened = await openFile(image, at, options);
  const { mode, mtime, uid, gid } = opened.entry;
  const into =
    options.links === 'refuse'
      ? (await onDisk(target, () => kindAt(target))) === 'folder'
      : await isFolder(target);
  const file = into ? path.join(target, safeName(at)) : target;
  const write = async (handle: FileHandle): Promise<number> => {
    const length = await writeParts(handle, opened.parts());
    if (options.owners === 'keep') await handle.chown(uid, gid);
    await handle.chmod(options.specialBits === 'keep' ? mode : mode & 0o777);
    await handle.utimes(mtime, mtime);
    return length;
  };
  // What lies in a folder somebody else may have put there.
  const links = into ? 'refuse' : options.links;
  const bytes = await writeWhole(file, write, { links, signal: options.signal });
  const left = new WithoutXattrs();
  left.note(opened.entry.path, opened.entry);
  return { files: 1, bytes, skipped: [], xattrs: left.lost, target: file };
}

async function getTree(
  image: ImageLayers,
  folder: ImagePath,
  target: string,
  options: GetOptions,
): Promise<Got> {
  return staged(target, options, (staging) => stageTree(image, folder, staging, options));
}

/** Makes a tree aside, and gives it its name when all of it is there. */
export async function staged(
  target: string,
  { specialBits = 'drop', owners = 'own' }: GetOptions,
  fill: (staging: Staging) => Promise<void>,
): Promise<Got> {
  await using aside = await workshop(target);
  const tree = path.join(aside.folder, path.basename(path.resolve(target)) || 'tree');
  const staging = await Staging.create(tree, target, { specialBits, owners });
  await fill(staging);
  await staging.finish();
  await onDisk(target, () => place(staging, target));
  const { files, bytes, skipped, withoutXattrs } = staging;
  return { files, bytes, skipped, xattrs: withoutXattrs.lost, target };
}

/** The last name that was asked for, which is the user's own word. */
function safeName(at: string): string {
  return baseOf(pathOf(at));
}

/** The folder, links followed, that was found where a file was looked for. */
function folderIn(error: unknown): ImagePath | undefined {
  if (!(error instanceof RegistryError) || error.code !== 'FILE_UNKNOWN') return undefined;
  if (!isRecord(error.detail) || error.detail['type'] !== 'directory') return undefined;
  const { path: folder } = error.detail;
  return typeof folder === 'string' ? folder : undefined;
}
