/** Bytes of a block, and blocks that are kept to be used again. */
const BLOCK = 64 * 1024;
const SPARE = 4;
/** Bytes that wait while nobody takes them. */
const MOST = 8 * 1024 * 1024;

/** Bytes that a character of UTF-16 may become in UTF-8. */
const WIDEST = 3;

interface Block {
  readonly bytes: Buffer;
  end: number;
}

/**
 * Lines that wait to be written, as bytes outside of the heap: as texts they would outlive the young
 * generation whenever writing takes a moment, and cost more in its collections than in being made.
 */
export class LineBlocks {
  readonly #most: number;
  readonly #spare: Block[] = [];
  #waiting: Block[] = [];
  #taken: readonly Block[] = [];
  #length = 0;

  constructor(most = MOST) {
    this.#most = most;
  }

  /** Bytes that wait. */
  get length(): number {
    return this.#length;
  }

  /** Whether there was room for it. */
  add(text: string): boolean {
    const widest = text.length * WIDEST;
    if (this.#length + widest > this.#most) return false;
    const written = this.#roomFor(widest);
    const bytes = written.bytes.write(text, written.end);
    written.end += bytes;
    this.#length += bytes;
    return true;
  }

  /** All that waits, in order. It stays as it is until `written` is called. */
  take(): readonly Buffer[] {
    this.#taken = this.#waiting;
    this.#waiting = [];
    this.#length = 0;
    return this.#taken.map(({ bytes, end }) => bytes.subarray(0, end));
  }

  /** What was taken is needed no more. */
  written(): void {
    for (const block of this.#taken) {
      if (this.#spare.length >= SPARE || block.bytes.length > BLOCK) continue;
      block.end = 0;
      this.#spare.push(block);
    }
    this.#taken = [];
  }

  #roomFor(count: number): Block {
    const last = this.#waiting.at(-1);
    if (last !== undefined && last.bytes.length - last.end >= count) return last;
    const spare = count <= BLOCK ? this.#spare.pop() : undefined;
    const block = spare ?? { bytes: Buffer.allocUnsafeSlow(Math.max(BLOCK, count)), end: 0 };
    this.#waiting.push(block);
    return block;
  }
}
