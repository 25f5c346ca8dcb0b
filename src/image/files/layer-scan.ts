import type { TarEntry } from '../../layer/tar-entry.ts';
import { fileEntry, layerRef, type FileEntry, type LayerRef } from './file-entry.ts';
import type { ImageLayers, ReadOptions } from './image-layers.ts';
import { LayerReader } from './layer-reader.ts';
import { ancestorsOf, type ImagePath } from './path.ts';

/** What one layer says of a path, as far as it has been read. */
export interface Said {
  entry?: FileEntry;
  /** Which entry of the archive that is, to find it again. */
  ordinal?: number;
  whiteout?: true;
  opaque?: true;
  /** Something stands below it. */
  implied?: true;
}

/** An entry with the archive's own, which can be read until the scan goes on. */
export interface Scanned {
  readonly entry: FileEntry;
  readonly archived: TarEntry;
}

/** A layer read forward, no further than somebody asks, and never twice for its names. */
export class LayerScan implements AsyncDisposable {
  readonly layer: LayerRef;
  readonly reader: LayerReader;
  #ordinal = -1;
  #ended = false;
  #current: Scanned | undefined;
  readonly #said = new Map<ImagePath, Said>();

  constructor(image: ImageLayers, index: number, options: ReadOptions) {
    this.layer = layerRef(image.layers, index);
    this.reader = new LayerReader(image, index, 'pieces', options);
  }

  said(path: ImagePath): Said | undefined {
    return this.#said.get(path);
  }

  /** The entry that the scan stands at, if its content can still be read. */
  get current(): Scanned | undefined {
    return this.#current;
  }

  /** Which entry of the archive the scan stands at. */
  get ordinal(): number {
    return this.#ordinal;
  }

  /** Goes on by one entry; `undefined` at the end of the layer. */
  async next(): Promise<Scanned | undefined> {
    this.#current = undefined;
    if (this.#ended) return undefined;
    const archived = await this.reader.next();
    if (archived === undefined) {
      this.#ended = true;
      await this.reader[Symbol.asyncDispose]();
      return undefined;
    }
    this.#ordinal += 1;
    this.#current = { archived, entry: fileEntry(archived, this.layer) };
    this.#remember(this.#current.entry);
    return this.#current;
  }

  /** The content of the current entry is being read: it cannot be again. */
  taken(): void {
    this.#current = undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.reader[Symbol.asyncDispose]();
  }

  #remember(entry: FileEntry): void {
    const said = this.#at(entry.path);
    if (entry.type === 'whiteout') said.whiteout = true;
    else if (entry.type === 'opaque') said.opaque = true;
    else {
      said.entry = entry;
      said.ordinal = this.#ordinal;
    }
    for (const folder of ancestorsOf(entry.path).toReversed()) {
      const above = this.#at(folder);
      if (above.implied === true) break;
      above.implied = true;
    }
  }

  #at(path: ImagePath): Said {
    const known = this.#said.get(path);
    if (known !== undefined) return known;
    const said: Said = {};
    this.#said.set(path, said);
    return said;
  }
}
