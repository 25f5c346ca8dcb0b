import { decompress, type Compression, type Decompressed } from '../../layer/decompress.ts';
import type { Part, TarEntry } from '../../layer/tar-entry.ts';
import { walkTar } from '../../layer/tar.ts';
import { inLayer, layerAt, type ImageLayers, type ReadOptions } from './image-layers.ts';
import { layerBytes, type LayerBytes, type Manner } from './layer-bytes.ts';

/** A layer that is being read, closed by whoever opened it. Nothing is fetched before `entries` is asked for one. */
export class LayerReader implements AsyncDisposable {
  readonly index: number;
  readonly #image: ImageLayers;
  readonly #manner: Manner;
  readonly #options: ReadOptions;
  #bytes: LayerBytes | undefined;
  #decompressed: Decompressed | undefined;
  #entries: AsyncGenerator<TarEntry, void, undefined> | undefined;

  constructor(image: ImageLayers, index: number, manner: Manner, options: ReadOptions = {}) {
    layerAt(image, index);
    this.index = index;
    this.#image = image;
    this.#manner = manner;
    this.#options = options;
  }

  /** Known once the first entry was asked for. */
  get compression(): Compression | undefined {
    return this.#decompressed?.compression;
  }

  /**
   * The next entry; `undefined` at the end, which is reached only by right bytes unless some were passed over.
   * @throws RegistryError LAYER_INVALID, DIGEST_INVALID, SIZE_INVALID, INTERRUPTED, or the source's own
   */
  async next(): Promise<TarEntry | undefined> {
    return this.#guard(async () => {
      if (this.#entries === undefined) {
        this.#bytes = layerBytes(this.#image, this.index, this.#manner, this.#options);
        this.#decompressed = await decompress(this.#bytes);
        this.#entries = walkTar(keptOpen(this.#decompressed));
      }
      const { value } = await this.#entries.next();
      if (value === undefined) await this.#drain();
      return value ?? undefined;
    });
  }

  /**
   * For who wants nothing more of the layer: what is on its way anyhow is read, as its end tells whether
   * the bytes were right.
   * @throws RegistryError as `next` does
   */
  async settle(): Promise<void> {
    if (this.#bytes?.gapless !== true || !this.#bytes.arriving) return;
    await this.#guard(async () => this.#decompressed?.drain());
  }

  async *entries(): AsyncGenerator<TarEntry, void, undefined> {
    for (;;) {
      const entry = await this.next();
      if (entry === undefined) return;
      yield entry;
    }
  }

  /** Runs something that reads from the layer; what is wrong with the layer is told with its name. */
  async #guard<T>(read: () => Promise<T>): Promise<T> {
    try {
      return await read();
    } catch (error) {
      throw inLayer(error, layerAt(this.#image, this.index), this.index);
    }
  }

  /** The content of the entry that `next` gave last. */
  content(entry: TarEntry): AsyncGenerator<Uint8Array, void, undefined> {
    return this.#guarded(() => entry.content());
  }

  /** The same with holes told as how many zeros they are. */
  parts(entry: TarEntry): AsyncGenerator<Part, void, undefined> {
    return this.#guarded(() => entry.parts());
  }

  async *#guarded<T>(read: () => AsyncIterable<T>): AsyncGenerator<T, void, undefined> {
    try {
      yield* read();
    } catch (error) {
      throw inLayer(error, layerAt(this.#image, this.index), this.index);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#entries?.return();
    await this.#decompressed?.[Symbol.asyncDispose]();
  }

  /**
   * What follows the archive belongs to the digest, and to the checksum of compressed data, all the same.
   * Neither tells anything of a plain archive of which something was passed over.
   */
  async #drain(): Promise<void> {
    if (this.compression === 'none' && this.#bytes?.gapless !== true) return;
    await this.#decompressed?.drain();
  }
}

/** The walk ends with the archive; what follows it is for `drain`. */
function keptOpen({ bytes }: Decompressed) {
  const chunks = bytes[Symbol.asyncIterator]();
  const skip = bytes.skip?.bind(bytes);
  return {
    [Symbol.asyncIterator]: () => ({ next: () => chunks.next() }),
    ...(skip !== undefined && { skip }),
  };
}
