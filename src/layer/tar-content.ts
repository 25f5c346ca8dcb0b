import type { ByteReader } from './bytes.ts';
import { truncated } from './damage.ts';
import { printableName } from './name.ts';
import type { Stretch } from './sparse.ts';
import type { Part } from './tar-entry.ts';
import { BLOCK } from './tar-header.ts';

export interface ContentShape {
  /** Of the file with its holes. */
  readonly size: number;
  /** Bytes in the archive, before they are filled up to whole blocks. */
  readonly stored: number;
  readonly stretches: readonly Stretch[];
}

/** Bytes; what is there to be read may be handed on in one piece. */
const LARGEST_CHUNK = 1024 * 1024;

const LARGEST_HOLE = 256 * 1024;

/** The data of one entry, read at most once, and passed over as far as it was not read. */
export class TarContent {
  readonly #input: ByteReader;
  readonly #name: string;
  readonly #shape: ContentShape;
  /** Where the data and what fills it up end in the archive. */
  readonly #end: number;
  #state: 'fresh' | 'reading' | 'passed' = 'fresh';
  #left: number;

  constructor(input: ByteReader, name: string, shape: ContentShape) {
    this.#input = input;
    this.#name = name;
    this.#shape = shape;
    this.#left = shape.stored;
    this.#end = input.position + Math.ceil(shape.stored / BLOCK) * BLOCK;
  }

  /** Bytes in the archive that have not been read. */
  get left(): number {
    return this.#left;
  }

  async *parts(): AsyncGenerator<Part, void, undefined> {
    this.#begin();
    let at = 0;
    for (const stretch of this.#shape.stretches) {
      if (stretch.at > at) yield stretch.at - at;
      at = stretch.at;
      const end = stretch.at + stretch.length;
      while (at < end) {
        const chunk = await this.#chunk(end - at);
        at += chunk.length;
        yield chunk;
      }
    }
    if (at < this.#shape.size) yield this.#shape.size - at;
  }

  async *bytes(): AsyncGenerator<Uint8Array, void, undefined> {
    for await (const part of this.parts()) {
      if (typeof part === 'number') yield* zeros(part);
      else yield part;
    }
  }

  /** Goes to the end of the data. */
  async pass(): Promise<void> {
    this.#state = 'passed';
    const count = this.#end - this.#input.position;
    if ((await this.#input.skip(count)) < count) throw this.#short();
  }

  #begin(): void {
    // A defect of the caller, not of the archive: nothing that input could bring about.
    if (this.#state !== 'fresh')
      throw new Error('the content of an entry is read once, in its turn');
    this.#state = 'reading';
  }

  async #chunk(most: number): Promise<Uint8Array> {
    if (this.#state === 'passed') throw new Error('the walk has left the entry that is being read');
    const chunk = await this.#input.view(Math.min(most, LARGEST_CHUNK));
    if (chunk.length === 0) throw this.#short();
    this.#input.advance(chunk.length);
    this.#left -= chunk.length;
    return chunk;
  }

  #short(): Error {
    return truncated(`within ${printableName(this.#name)}`);
  }
}

function* zeros(count: number): Generator<Uint8Array, void, undefined> {
  for (let left = count; left > 0; left -= LARGEST_HOLE) {
    yield new Uint8Array(Math.min(left, LARGEST_HOLE));
  }
}
