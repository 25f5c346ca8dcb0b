import type { FileHandle } from 'node:fs/promises';
import path from 'node:path';
import { RegistryError } from '../../../core/errors.ts';
import { writeParts, writeWhole } from '../../../image/files/disk.ts';
import { layerAt, type FetchedEvent, type ImageLayers } from '../../../image/files/image-layers.ts';
import { openFile } from '../../../image/files/open-file.ts';
import { pathOf } from '../../../image/files/path.ts';
import { sizeText } from './listing.ts';
import { percent } from './peek.ts';

export interface CarveOptions {
  readonly signal: AbortSignal;
  readonly layer: number | undefined;
  readonly say: (text: string) => void;
  readonly progress: (text: string) => void;
}

/** Saves a file as a container sees it, or as one layer has it. Gives whether there is one. @throws RegistryError */
export async function carve(
  image: ImageLayers,
  wanted: string,
  folder: string,
  { signal, layer, say, progress }: CarveOptions,
): Promise<'found' | 'missing'> {
  const started = performance.now();
  const seconds = (): string => ((performance.now() - started) / 1000).toFixed(2);
  /** Bytes by layer: those above the one that has the file were looked through. */
  const downloaded = new Map<number, number>();
  const observe = ({ layer: index, bytes }: FetchedEvent): void =>
    void downloaded.set(index, (downloaded.get(index) ?? 0) + bytes);
  try {
    await using opened = await openFile(image, wanted, { layer, signal, observe });
    const { entry } = opened;
    const all = [...downloaded.values()].reduce((sum, bytes) => sum + bytes, 0);
    progress(`  Downloaded: ${sizeText(all)} -> Layer ${entry.layer.index}\n`);
    say(`  FOUND: ${wanted} (${entry.size} bytes)\n`);
    const target = path.join(folder, pathOf(wanted));
    const write = async (handle: FileHandle): Promise<void> => {
      await writeParts(handle, opened.parts());
      await handle.chmod(entry.mode & 0o777);
    };
    await writeWhole(target, write, { links: 'refuse', signal });
    const { size } = layerAt(image, entry.layer.index);
    const own = downloaded.get(entry.layer.index) ?? 0;
    say(`\nDone! File saved to: ${target}\n`);
    say(
      `Stats: Downloaded ${sizeText(own)} of ${sizeText(size)} layer (${percent(own, size)}) in ${seconds()}s\n`,
    );
    return 'found';
  } catch (error) {
    if (!(error instanceof RegistryError) || error.code !== 'FILE_UNKNOWN') throw error;
    const searched = layer === undefined ? image.layers.length : 1;
    say(`File not found: ${wanted} (searched ${searched} layers in ${seconds()}s)\n`);
    return 'missing';
  }
}
