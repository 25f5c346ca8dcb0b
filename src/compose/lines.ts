import { writev, writevSync } from 'node:fs';
import { LineBlocks } from './line-blocks.ts';

/** Bytes gathered for one write, and the milliseconds after which fewer are written, too. */
const GATHERED = 16 * 1024;
const HELD_BACK = 200;
/** Milliseconds after which what could not be written is tried again: to a full pipe, and otherwise. */
const PIPE_TRIED_AGAIN = 5;
const TRIED_AGAIN = 500;
/** Milliseconds without a byte for which the end waits. */
const LAST_WAIT = 2_000;

export interface LinesOptions {
  /** A file descriptor. */
  readonly to: number;
  /** A line that tells of so many that were lost. */
  readonly lost: (count: number) => string;
  /** Bytes that wait at most; 8 MiB if left out. */
  readonly most?: number;
}

/**
 * Gathers lines and writes them together: one write a line costs more than answering the request that
 * the line is about. Nobody ever waits for a line to be written, whether its reader stands still or the
 * disk is full. What waits is bounded: further lines are lost then, and told of once there is a way out.
 */
export class Lines implements AsyncDisposable {
  readonly #options: LinesOptions;
  readonly #blocks: LineBlocks;
  #lost = 0;
  #timer: NodeJS.Timeout | undefined;
  #writing = false;
  #again: NodeJS.Timeout | undefined;
  #settled: PromiseWithResolvers<void> | undefined;
  #deadline: NodeJS.Timeout | undefined;
  #over = false;

  constructor(options: LinesOptions) {
    this.#options = options;
    this.#blocks = new LineBlocks(options.most);
    process.once('exit', this.#last);
  }

  /** @param text one line, or several, each with its end */
  write(text: string): void {
    if (!this.#blocks.add(text)) this.#lost += 1;
    else if (!this.#writing) this.#gather();
  }

  /** Has what was gathered written now. */
  flush(): void {
    if (this.#writing) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#lost > 0 && this.#blocks.add(this.#options.lost(this.#lost))) this.#lost = 0;
    // All that came meanwhile goes at once, however much it is: so the way out keeps pace.
    const bytes = this.#blocks.take();
    if (bytes.length > 0) this.#send(bytes);
    else this.#settled?.resolve();
  }

  /** Writes out what is there; given up when for two seconds nothing of it can be written. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#settled = Promise.withResolvers();
    this.#deadline = setTimeout(() => this.#settled?.resolve(), LAST_WAIT);
    this.flush();
    await this.#settled.promise;
    this.#over = true;
    clearTimeout(this.#deadline);
    clearTimeout(this.#again);
    process.off('exit', this.#last);
  }

  #send(bytes: readonly Buffer[]): void {
    this.#writing = true;
    writev(this.#options.to, bytes, null, (error, written) => {
      // The descriptor may be another's by now.
      if (this.#over) return;
      const rest = without(bytes, written ?? 0);
      if (error === null) this.#deadline?.refresh();
      if (error !== null) {
        const wait = error.code === 'EAGAIN' ? PIPE_TRIED_AGAIN : TRIED_AGAIN;
        this.#again = setTimeout(() => this.#send(rest), wait).unref();
      } else if (rest.length > 0) {
        this.#send(rest);
      } else {
        this.#writing = false;
        this.#blocks.written();
        if (this.#settled === undefined) this.#gather();
        else this.flush();
      }
    });
  }

  #gather(): void {
    const { length } = this.#blocks;
    if (length >= GATHERED || this.#lost > 0) this.flush();
    else if (length > 0) this.#timer ??= setTimeout(() => this.flush(), HELD_BACK).unref();
  }

  /** Of a program that ends without having closed this, as by an error that nobody caught. */
  readonly #last = (): void => {
    if (this.#writing) return;
    try {
      writevSync(this.#options.to, this.#blocks.take());
    } catch {
      // There is nobody left to tell.
    }
  };
}

function without(bytes: readonly Buffer[], count: number): readonly Buffer[] {
  let left = count;
  return bytes.flatMap((part) => {
    const gone = Math.min(left, part.length);
    left -= gone;
    return gone < part.length ? [part.subarray(gone)] : [];
  });
}
