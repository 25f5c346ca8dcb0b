import type { Tag } from '../../../core/reference.ts';
import { saveLayer } from '../../../image/files/get.ts';
import type { ImageLayers } from '../../../image/files/image-layers.ts';
import type { Context } from '../../context.ts';
import { told } from '../../told.ts';
import { makeFolder } from '../../../store/make-folder.ts';

export interface Saving {
  readonly image: ImageLayers;
  readonly tag: Tag;
  /** The newest as 0. */
  readonly positions: readonly number[];
  readonly folder: string;
}

/** Saves layers as they are stored. One that fails is told, and the next one is saved. Gives the exit code. */
export async function saveLayers(saving: Saving, context: Context): Promise<number> {
  const { positions, folder } = saving;
  const { output } = context;
  if (folder !== '.' && (await makeFolder(folder)) !== undefined) {
    output.out(`Created directory: ${folder}\n`);
  }
  let saved = 0;
  for (const [index, position] of positions.entries()) {
    const count = positions.length === 1 ? '' : `[${index + 1}/${positions.length}] `;
    const file = fileName(saving, position);
    output.out(`\n${count}Saving layer ${position + 1} as ${file}\n`);
    if (await saveOne(saving, position, `${folder.replace(/(.)\/+$/, '$1')}/${file}`, context)) {
      saved += 1;
    }
  }
  if (positions.length > 1) {
    const of = saved === positions.length ? '' : ` of ${positions.length}`;
    output.out(`\nDownloaded ${saved}${of} layers to ${folder}\n`);
  }
  return saved === positions.length ? 0 : 1;
}

async function saveOne(
  { image }: Saving,
  position: number,
  file: string,
  { output, interruption }: Context,
): Promise<boolean> {
  const index = image.layers.length - 1 - position;
  output.out(`Downloading ${image.layers[index]?.digest}...\n`);
  try {
    await saveLayer(image, index, file, { links: 'refuse', signal: interruption.listen() });
  } catch (error) {
    if (interruption.aborted) throw error;
    output.out(`Error downloading blob: ${told(error)}\n`);
    return false;
  }
  output.out(`Saved as ${file}\n`);
  return true;
}

/** Named by how the layer is compressed. */
function fileName({ image, tag }: Saving, position: number): string {
  const type = image.layers[image.layers.length - 1 - position]?.mediaType ?? '';
  const suffix = /\bzstd$/.test(type) ? 'tar.zst' : /\btar$/.test(type) ? 'tar' : 'tar.gz';
  const repository = image.repository.path.replaceAll('/', '-');
  return `${repository}-${tag}-layer${position + 1}.${suffix}`;
}
