/** Where text goes in the end. */
export interface Out {
  write(text: string): void;
  flushSync(): void;
}

/** Characters gathered for one write, and the milliseconds after which fewer are written, too. */
const GATHERED = 16 * 1024;
const HELD_BACK = 200;

/**
 * Gathers lines and writes them together: one write a line, or joining what is waiting at every
 * line, costs more than answering the request that the line is about.
 */
export class Lines implements Out {
  readonly #out: Out;
  #waiting: string[] = [];
  #length = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(out: Out) {
    this.#out = out;
  }

  write(text: string): void {
    this.#waiting.push(text);
    this.#length += text.length;
    if (this.#length >= GATHERED) this.#pass();
    else this.#timer ??= setTimeout(() => this.#pass(), HELD_BACK).unref();
  }

  flushSync(): void {
    this.#pass();
    this.#out.flushSync();
  }

  #pass(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#waiting.length === 0) return;
    this.#out.write(this.#waiting.join(''));
    this.#waiting = [];
    this.#length = 0;
  }
}
