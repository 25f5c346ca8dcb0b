import { RegistryError } from '../../core/errors.ts';
import { printableName, printedNames } from '../../layer/name.ts';
import { fileEntry, layerRef, type FileEntry } from './file-entry.ts';
import { getFile, staged, type GetOptions, type Got } from './get.ts';
import type { ImageLayers } from './image-layers.ts';
import { LayerReader } from './layer-reader.ts';
import { listVersions } from './list.ts';
import { openFile } from './open-file.ts';
import { climbs, isWithin, joined, pathOf, type ImagePath } from './path.ts';
import type { Staging } from './staging.ts';

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
    await stageLayer(image, index, '', staging, options);
  });
}

/**
 * Writes what one layer has at a path: a file, where links of the layer lead as they do there, or a
 * folder with what the layer itself has in it.
 * @throws RegistryError FILE_UNKNOWN where it has neither, and as `getLayer` does
 */
export async function getLayerPath(
  image: ImageLayers,
  index: number,
  at: string,
  target: string,
  options: GetOptions = {},
): Promise<Got> {
  if (pathOf(at) === '') return getLayer(image, index, target, options);
  try {
    return await getFile(image, at, target, { ...options, layer: index });
  } catch (error) {
    if (!(error instanceof RegistryError) || error.code !== 'FILE_UNKNOWN') throw error;
    return staged(target, options, async (staging) => {
      for (const name of [at, ...printedNames(at)]) {
        if ((await stageLayer(image, index, pathOf(name), staging, options)) > 0) return;
      }
      throw error;
    });
  }
}

/** Every version of one path, and where it went; those that deleted it went nowhere. */
export interface GotVersions extends Got {
  /** As `listVersions` tells them. */
  readonly versions: readonly FileEntry[];
}

/**
 * Writes every version of a file that any layer has below the target, each as `LAYER/PATH`. Symbolic
 * links are versions as they are. Where a layer has the path twice, the first counts.
 * @throws RegistryError FILE_UNKNOWN where no layer has such a file, and as `getLayer` does
 */
export async function getVersions(
  image: ImageLayers,
  at: string,
  target: string,
  options: GetOptions = {},
): Promise<GotVersions> {
  const versions: FileEntry[] = [];
  for await (const entry of listVersions(image, at, options)) versions.push(entry);
  if (!versions.some(isVersion)) {
    throw new RegistryError('FILE_UNKNOWN', `no layer has a file ${printableName(at)}`);
  }
  const got = await staged(target, options, async (staging) => {
    for (const entry of versions) {
      const place = joined(`${entry.layer.index}`, entry.path);
      if (!isVersion(entry) || staging.kindAt(place) !== undefined) continue;
      if (entry.type === 'symlink') await staging.put(place, entry, () => nothing());
      else {
        const { index } = entry.layer;
        await using opened = await openFile(image, entry.path, { ...options, layer: index });
        await staging.put(place, opened.entry, () => opened.parts());
      }
    }
  });
  return { ...got, versions };
}

/** Gives how many entries there were at the path and below it. */
async function stageLayer(
  image: ImageLayers,
  index: number,
  folder: ImagePath,
  staging: Staging,
  options: GetOptions,
): Promise<number> {
  const inside = (at: ImagePath): ImagePath => (folder === '' ? at : at.slice(folder.length + 1));
  let found = 0;
  await using reader = new LayerReader(image, index, 'verified', options);
  const layer = layerRef(image.layers, index);
  for await (const archived of reader.entries()) {
    // Whiteouts are files here: the archive's own name and type count.
    const entry = { ...fileEntry(archived, layer), type: archived.type };
    const at = pathOf(archived.name);
    if (!isWithin(at, folder) || (at === folder && at !== '' && entry.type !== 'directory'))
      continue;
    found += 1;
    const target = entry.link ?? '';
    if (climbs(archived.name)) staging.skip(archived.name, 'its name leads out of the folder');
    else if (archived.type !== 'hardlink') {
      await staging.put(inside(at), entry, () => reader.parts(archived));
    } else if (!isWithin(target, folder) || !(await staging.join(inside(at), inside(target)))) {
      const where = folder === '' ? 'the layer' : 'the folder in this layer';
      staging.skip(at, `it is a link to ${target}, which ${where} does not have`);
    }
  }
  return found;
}

function isVersion({ type }: FileEntry): boolean {
  return type === 'file' || type === 'hardlink' || type === 'symlink';
}

async function* nothing(): AsyncGenerator<never, void, undefined> {}
