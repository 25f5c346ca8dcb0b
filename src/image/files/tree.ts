import { RegistryError } from '../../core/errors.ts';
import type { TarEntry } from '../../layer/tar-entry.ts';
import { fileEntry, layerRef, type FileEntry } from './file-entry.ts';
import type { ImageLayers, ReadOptions } from './image-layers.ts';
import { LayerReader } from './layer-reader.ts';
import { Lookup } from './lookup.ts';
import { fileAt, openFile } from './open-file.ts';
import { Overlay } from './overlay.ts';
import { climbs, isWithin, type ImagePath } from './path.ts';
import type { Staging } from './staging.ts';

/**
 * Stages a folder as a container sees it. Layers are read newest first, to their end and against their
 * digests, and only as far down as something of the folder can still be seen.
 */
export async function stageTree(
  image: ImageLayers,
  folder: ImagePath,
  staging: Staging,
  options: ReadOptions,
): Promise<void> {
  await new Tree(image, folder, staging, options).fill();
}

class Tree {
  readonly #image: ImageLayers;
  readonly #root: ImagePath;
  readonly #staging: Staging;
  readonly #options: ReadOptions;
  readonly #overlay = new Overlay();
  /** Which layer each staged file came from. */
  readonly #origins = new Map<ImagePath, number>();
  readonly #links: FileEntry[] = [];

  constructor(image: ImageLayers, root: ImagePath, staging: Staging, options: ReadOptions) {
    this.#image = image;
    this.#root = root;
    this.#staging = staging;
    this.#options = options;
  }

  async fill(): Promise<void> {
    for (const index of [...this.#image.layers.keys()].toReversed()) {
      await using reader = new LayerReader(this.#image, index, 'verified', this.#options);
      const layer = layerRef(this.#image.layers, index);
      for await (const archived of reader.entries()) {
        await this.#take(fileEntry(archived, layer), archived, reader);
      }
      if (this.#overlay.closes(this.#root, index)) break;
    }
    for (const link of this.#links) await this.#join(link);
  }

  async #take(entry: FileEntry, archived: TarEntry, reader: LayerReader): Promise<void> {
    if (climbs(archived.name)) {
      this.#staging.skip(archived.name, 'its name leads out of the image');
      return;
    }
    const { fate } = this.#overlay.add(entry);
    if (fate !== undefined || entry.type === 'whiteout' || entry.type === 'opaque') return;
    if (!isWithin(entry.path, this.#root)) return;
    if (entry.type === 'hardlink') {
      this.#links.push(entry);
      return;
    }
    this.#origins.set(entry.path, entry.layer.index);
    await this.#staging.put(this.#inside(entry.path), entry, () => reader.parts(archived));
  }

  /**
   * A link to what its target was in the link's own layer: the staged one if no newer layer replaced
   * it, else that older content, fetched once however many links lead to it.
   */
  async #join(entry: FileEntry): Promise<void> {
    const target = entry.link ?? '';
    const at = this.#inside(entry.path);
    const { index } = entry.layer;
    const origin = this.#origins.get(target);
    if (origin !== undefined && origin <= index && isWithin(target, this.#root)) {
      if (await this.#staging.join(at, this.#inside(target))) {
        this.#origins.set(entry.path, index);
        return;
      }
    }
    const known = this.#fetched.get(`${index}/${target}`);
    if (known !== undefined && (await this.#staging.join(at, known))) return;
    await this.#fetch(entry, at);
    this.#fetched.set(`${index}/${target}`, at);
  }

  readonly #fetched = new Map<string, ImagePath>();

  async #fetch(entry: FileEntry, at: ImagePath): Promise<void> {
    await using lookup = new Lookup(this.#image, this.#options);
    const start = { entry, ordinal: undefined };
    const found = await fileAt(lookup, entry.path, entry.layer.index, start).catch(unknown);
    if (found === undefined) {
      this.#staging.skip(at, `it is a link to ${entry.link}, which is not there`);
      return;
    }
    const { path, layer } = found.entry;
    await using opened = await openFile(this.#image, path, {
      ...this.#options,
      layer: layer.index,
    });
    await this.#staging.put(at, opened.entry, () => opened.parts());
  }

  #inside(path: ImagePath): ImagePath {
    return this.#root === '' ? path : path.slice(this.#root.length + 1);
  }
}

/** Absence is an answer here: links that lead nowhere are told, not fatal. */
function unknown(error: unknown): undefined {
  if (error instanceof RegistryError && error.code === 'FILE_UNKNOWN') return undefined;
  throw error;
}
