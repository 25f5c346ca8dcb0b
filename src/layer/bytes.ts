/** Bytes in order. Chunks belong to whoever receives them. */
export interface Bytes extends AsyncIterable<Uint8Array> {
  /**
   * Passes over bytes that nobody has asked for yet, without getting them where that is possible.
   * Called between two chunks, never while one is awaited. Returns how many were there to pass over.
   */
  readonly skip?: (count: number) => number;
}

const NOTHING = new Uint8Array();

/** Gaps shorter than this are read and dropped: asking anew costs more. */
const WORTH_SKIPPING = 256 * 1024;

/** Reads chunks of any size as pieces of the wanted size. Errors are those of the input. */
export class ByteReader implements AsyncDisposable {
  /** Bytes that the input has handed over, read or not; those that were skipped do not count. */
  received = 0;
  /** Bytes read or skipped so far. */
  position = 0;
  readonly #input: AsyncIterator<Uint8Array>;
  readonly #skip: ((count: number) => number) | undefined;
  #chunk: Uint8Array = NOTHING;
  #ended = false;

  constructor(input: Bytes) {
    this.#input = input[Symbol.asyncIterator]();
    this.#skip = input.skip?.bind(input);
  }

  /** At most `most` of the bytes that come next, at least one; nothing is taken. Empty at the end. */
  async view(most: number): Promise<Uint8Array> {
    if (this.#chunk.length === 0) this.#chunk = (await this.#next()) ?? NOTHING;
    return this.#chunk.subarray(0, most);
  }

  /** The next `count` bytes, or as many as there are; nothing is taken. */
  async peek(count: number): Promise<Uint8Array> {
    if (this.#chunk.length < count) await this.#gather(count);
    return this.#chunk.subarray(0, count);
  }

  /** The next `count` bytes, taken; fewer only at the end. They are joined in memory. */
  async take(count: number): Promise<Uint8Array> {
    const bytes = await this.peek(count);
    this.advance(bytes.length);
    return bytes;
  }

  /** Takes bytes that were looked at. */
  advance(count: number): void {
    this.#chunk = this.#chunk.subarray(count);
    this.position += count;
  }

  /** Whether the input can pass over bytes by itself. */
  get canSkip(): boolean {
    return this.#skip !== undefined;
  }

  /** Passes over bytes without reading; only where `canSkip`. Returns how many were there. */
  jump(count: number): number {
    const held = Math.min(count, this.#chunk.length);
    this.advance(held);
    if (held === count || this.#skip === undefined || this.#ended) return held;
    const skipped = this.#skip(count - held);
    this.position += skipped;
    return held + skipped;
  }

  /** Passes over bytes in the cheapest way. Returns how many were there. */
  async skip(count: number): Promise<number> {
    if (this.canSkip && count - this.#chunk.length >= WORTH_SKIPPING) return this.jump(count);
    let left = count;
    while (left > 0) {
      const { length } = await this.view(left);
      if (length === 0) break;
      this.advance(length);
      left -= length;
    }
    return count - left;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended = true;
    this.#chunk = NOTHING;
    await this.#input.return?.();
  }

  /** Joined once, however small the chunks are. */
  async #gather(count: number): Promise<void> {
    // Whoever reads them may fill the same memory again for the next one.
    const chunks: Uint8Array[] = [Buffer.from(this.#chunk)];
    let length = this.#chunk.length;
    try {
      while (length < count) {
        const chunk = await this.#next();
        if (chunk === undefined) break;
        const last = length + chunk.length >= count;
        chunks.push(last ? chunk : Buffer.from(chunk));
        length += chunk.length;
      }
    } finally {
      this.#chunk =
        chunks.length === 2 && chunks[0]?.length === 0
          ? (chunks[1] ?? NOTHING)
          : Buffer.concat(chunks);
    }
  }

  /** The next chunk that is not empty; `undefined` at the end. */
  async #next(): Promise<Uint8Array | undefined> {
    while (!this.#ended) {
      const { done, value } = await this.#input.next();
      if (done === true) this.#ended = true;
      else if (value.length > 0) {
        this.received += value.length;
        return value;
      }
    }
    return undefined;
  }
}
