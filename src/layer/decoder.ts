import type { InflateRaw, ZstdDecompress } from 'node:zlib';
import { asError } from '../core/errors.ts';
import { damaged } from './damage.ts';

/** Bytes of output at a time: with zlib's default of 16 KiB everything takes twice as long. */
export const CHUNK_SIZE = 256 * 1024;

/**
 * One of Node's decompressors, fed piece by piece on demand: nothing runs ahead of the reader. It is
 * told to go on where Node would take what follows the compressed data for the end of everything.
 */
export class Decoder implements Disposable {
  readonly #stream: InflateRaw | ZstdDecompress;
  readonly #name: string;
  #failure: Error | undefined;
  #wake: (() => void) | undefined;
  #ended = false;

  constructor(name: string, stream: InflateRaw | ZstdDecompress) {
    this.#name = name;
    this.#stream = stream;
    const push = stream.push.bind(stream);
    stream.push = (chunk: unknown) => {
      if (chunk !== null) return push(chunk);
      this.#ended = true;
      return false;
    };
    stream.on('readable', () => this.#rouse());
    stream.on('error', (error) => {
      this.#failure = error;
      this.#rouse();
    });
  }

  /** Whether the compressed data ended before the last piece did, which may have been by 0 bytes of it. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Bytes of input that have been used. */
  get used(): number {
    return this.#stream.bytesWritten;
  }

  /** To be called once the decompressor was reset, before the first piece of other data. */
  restarted(): void {
    this.#ended = false;
  }

  /**
   * What a piece decompresses to, to be read to its end before the next piece.
   * @throws RegistryError LAYER_INVALID
   */
  async *decode(piece: Uint8Array): AsyncGenerator<Uint8Array, void, undefined> {
    let settled = false;
    this.#stream.write(piece, () => {
      settled = true;
      this.#rouse();
    });
    for (;;) {
      const chunk: Buffer | null = this.#stream.read();
      if (chunk !== null) {
        yield chunk;
        continue;
      }
      if (this.#failure !== undefined) throw this.#damage(this.#failure);
      if (settled) return;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  [Symbol.dispose](): void {
    this.#stream.destroy();
  }

  #damage(cause: unknown): Error {
    return damaged(`the ${this.#name} data is corrupt: ${asError(cause).message}`, cause);
  }

  #rouse(): void {
    this.#wake?.();
    this.#wake = undefined;
  }
}
