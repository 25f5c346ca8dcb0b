import path from 'node:path';
import { RegistryError } from '../../core/errors.ts';
import { isRecord } from '../../core/shape.ts';
import { onDisk, isFolder, workshop, writeParts, writeWhole } from './disk.ts';
import { fileEntry, layerRef } from './file-entry.ts';
import { layerAt, type ImageLayers, type ReadOptions } from './image-layers.ts';
import { layerBytes } from './layer-bytes.ts';
import { LayerReader } from './layer-reader.ts';
import { openFile } from './open-file.ts';
import { baseOf, climbs, pathOf, type ImagePath } from './path.ts';
import { place } from './place.ts';
import { Staging, type Manners, type Skipped } from './staging.ts';
import { stageTree } from './tree.ts';
import { NONE_LOST, WithoutXattrs, type LostXattrs } from './xattrs.ts';

export interface GetOptions extends ReadOptions {
  /** `drop` when left out. */
  readonly specialBits?: Manners['specialBits'];
  /** `own` when left out. */
  readonly owners?: Manners['owners'];
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
 * Writes everything that one layer has, whiteouts as the files they are, once its digest is right. What lies
 * outside, devices, and links to files of other layers are left out and told.
 * @throws RegistryError STORAGE_UNAVAILABLE, LAYER_INVALID, DIGEST_INVALID, SIZE_INVALID, INTERRUPTED
 */
export async function getLayer(
  image: ImageLayers,
  index: number,
  target: string,
  options: GetOptions = {},
): Promise<Got> {
  return staged(target, options, async (staging) => {
    await using reader = new LayerReader(image, index, 'verified', options);
    const layer = layerRef(image.layers, index);
    for await (const archived of reader.entries()) {
      // Whiteouts are files here: the archive's own name and type count.
      const entry = { ...fileEntry(archived, layer), type: archived.type };
      const at = pathOf(archived.name);
      if (climbs(archived.name)) staging.skip(archived.name, 'its name leads out of the folder');
      else if (archived.type !== 'hardlink') {
        await staging.put(at, entry, () => reader.parts(archived));
      } else if (!(await staging.join(at, entry.link ?? ''))) {
        staging.skip(at, `it is a link to ${entry.link}, which the layer does not have`);
      }
    }
  });
}

/**
 * Writes the layer's blob as it is, once its digest is right.
 * @throws RegistryError STORAGE_UNAVAILABLE, DIGEST_INVALID, SIZE_INVALID, INTERRUPTED
 */
export async function saveLayer(
  image: ImageLayers,
  index: number,
  file: string,
  options: ReadOptions = {},
): Promise<Got> {
  layerAt(image, index);
  const bytes = await writeWhole(file, (handle) =>
    writeParts(handle, layerBytes(image, index, 'verified', options)),
  );
  return { files: 1, bytes, skipped: [], xattrs: NONE_LOST, target: file };
}

async function getFile(
  image: ImageLayers,
  at: string,
  target: string,
  options: GetOptions,
): Promise<Got> {
  await using opened = await openFile(image, at, options);
  const { mode, mtime, uid, gid } = opened.entry;
  const file = (await isFolder(target)) ? path.join(target, safeName(at)) : target;
  const bytes = await writeWhole(file, async (handle) => {
    const length = await writeParts(handle, opened.parts());
    if (options.owners === 'keep') await handle.chown(uid, gid);
    await handle.chmod(options.specialBits === 'keep' ? mode : mode & 0o777);
    await handle.utimes(mtime, mtime);
    return length;
  });
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

async function staged(
  target: string,
  { specialBits = 'drop', owners = 'own' }: GetOptions,
  fill: (staging: Staging) => Promise<void>,
): Promise<Got> {
  await using aside = await workshop(target);
  const staging = await Staging.create(path.join(aside.folder, 'tree'), { specialBits, owners });
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
