import { createInterface, type Interface } from 'node:readline';
import { Writable } from 'node:stream';
import type { InputOptions } from './input.ts';

/** Lines as they come, also those that come faster than they are asked for. */
export class Lines {
  readonly #options: InputOptions;
  readonly #interface: Interface;
  readonly #queue: string[] = [];
  #muted = false;
  #ended = false;
  #wake: (() => void) | undefined;

  constructor(options: InputOptions) {
    this.#options = options;
    const shown = new Writable({
      write: (chunk: Buffer, _encoding, done) => {
        if (this.#muted) done();
        else options.prompts.write(chunk, () => done());
      },
    });
    this.#interface = createInterface({
      input: options.stdin,
      output: shown,
      terminal: options.stdin.isTTY === true,
      historySize: 0,
    });
    this.#interface.on('line', (line) => {
      this.#queue.push(line);
      this.#wake?.();
    });
    this.#interface.on('close', () => {
      this.#ended = true;
      this.#wake?.();
    });
    this.#interface.on('SIGINT', options.interrupt);
  }

  async next(prompt: string, typed: 'shown' | 'hidden'): Promise<string | undefined> {
    const signal = this.#options.signal();
    signal.throwIfAborted();
    this.#interface.setPrompt(prompt);
    if (!this.#ended) this.#interface.prompt();
    this.#muted = typed === 'hidden';
    const wake = () => this.#wake?.();
    signal.addEventListener('abort', wake);
    try {
      while (this.#queue.length === 0 && !this.#ended && !signal.aborted) {
        await new Promise<void>((resolve) => (this.#wake = resolve));
      }
    } finally {
      signal.removeEventListener('abort', wake);
      if (this.#muted) this.#options.prompts.write('\n');
      this.#muted = false;
    }
    signal.throwIfAborted();
    return this.#queue.shift();
  }

  close(): void {
    this.#interface.close();
    this.#options.stdin.destroy();
  }
}
