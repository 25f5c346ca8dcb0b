/** Bytes that are told at once: telling each chunk would cost more than it tells. */
const STEP = 1024 * 1024;

/** Adds up the bytes of one body and tells them in steps. */
export class Meter {
  readonly #tell: (bytes: number) => void;
  #untold = 0;

  constructor(tell: (bytes: number) => void) {
    this.#tell = tell;
  }

  add(bytes: number): void {
    this.#untold += bytes;
    if (this.#untold >= STEP) this.flush();
  }

  flush(): void {
    const bytes = this.#untold;
    this.#untold = 0;
    if (bytes > 0) this.#tell(bytes);
  }
}
