import type { FileHandle } from 'node:fs/promises';
import { writeParts, writeWhole, type WriteOptions } from '../../../image/files/disk.ts';
import { getLayer } from '../../../image/files/get-layers.ts';
import { layerAt, type ImageLayers } from '../../../image/files/image-layers.ts';
import { LayerReader } from '../../../image/files/layer-reader.ts';
import type { TarEntry } from '../../../layer/tar-entry.ts';
import { leftOut } from '../../left-out.ts';
import { Refusal, type Log } from './log.ts';

/** Bytes: a layer that holds nothing is smaller than this, packed or not. */
const EMPTY = 16 * 1024;

const NONE = 'No files detected in the last layer.';

/**
 * Writes the only file of a layer, with its permissions. Folders count as files, as they always did.
 * @throws Refusal for no files and for several; RegistryError. Nothing is written then
 */
export async function extractFile(
  image: ImageLayers,
  index: number,
  target: string,
  { links, signal }: WriteOptions,
): Promise<void> {
  await using reader = new LayerReader(image, index, 'verified', { signal });
  const entry = await reader.next();
  if (entry === undefined) throw new Refusal(NONE);
  if (entry.type !== 'file') {
    await refuseOthers(reader);
    throw new Refusal(
      `${entry.name} is no file: it is a ${entry.type}. Use --archive for folders.`,
    );
  }
  const fill = async (handle: FileHandle): Promise<void> => {
    await write(handle, reader, entry);
    await refuseOthers(reader);
  };
  await writeWhole(target, fill, { links, signal });
}

async function write(handle: FileHandle, reader: LayerReader, entry: TarEntry): Promise<void> {
  await writeParts(handle, reader.parts(entry));
  await handle.chmod(entry.mode & 0o777);
  await handle.utimes(entry.mtime, entry.mtime);
}

/** Read to the end, which checks the digest as well. */
async function refuseOthers(reader: LayerReader): Promise<void> {
  if ((await reader.next()) === undefined) return;
  throw new Refusal(
    'Multiple files detected in the last layer. Use --archive to extract to a directory.',
  );
}

/** Writes everything that a layer holds into a folder. @throws as `extractFile` does */
export async function extractLayer(
  image: ImageLayers,
  index: number,
  target: string,
  signal: AbortSignal,
  log: Log,
): Promise<void> {
  if (layerAt(image, index).size < EMPTY && (await isEmpty(image, index, signal))) {
    throw new Refusal(NONE);
  }
  const { skipped, xattrs } = await getLayer(image, index, target, { signal });
  for (const { path, why } of skipped) log.warning(`${path}: not extracted, ${why}`);
  for (const line of leftOut({ skipped: [], xattrs })) log.warning(line);
}

async function isEmpty(image: ImageLayers, index: number, signal: AbortSignal): Promise<boolean> {
  await using reader = new LayerReader(image, index, 'stream', { signal });
  return (await reader.next()) === undefined;
}
