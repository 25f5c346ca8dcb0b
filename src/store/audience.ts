export interface AudienceOptions {
  /** Milliseconds without anybody after which `onGone` is called. */
  readonly patience: number;
  /** There has been nobody for so long. */
  readonly onGone: () => void;
  /** The last one has left, or nobody has come yet. */
  readonly onAlone: () => void;
  /** Somebody came, or left. */
  readonly onChange?: ((change: 1 | -1) => void) | undefined;
}

/** Those who read something that is still on its way, and how long there has been nobody. */
export class Audience {
  readonly #options: AudienceOptions;
  #size = 0;
  #dismissed = false;
  #loneliness: NodeJS.Timeout | undefined;

  constructor(options: AudienceOptions) {
    this.#options = options;
  }

  get empty(): boolean {
    return this.#size === 0;
  }

  /** Somebody comes. Gives what is to be called, once or more often, when they leave. */
  join(): () => void {
    this.#size += 1;
    this.#options.onChange?.(1);
    this.watch();
    let reading = true;
    return () => {
      if (!reading) return;
      reading = false;
      this.#size -= 1;
      this.#options.onChange?.(-1);
      this.watch();
    };
  }

  /** Begins to look whether there is anybody. */
  watch(): void {
    clearTimeout(this.#loneliness);
    if (this.#dismissed || this.#size > 0) return;
    this.#options.onAlone();
    this.#loneliness = setTimeout(this.#options.onGone, this.#options.patience);
  }

  /** There is nothing to wait for any more; who reads reads on. */
  dismiss(): void {
    this.#dismissed = true;
    clearTimeout(this.#loneliness);
  }
}
