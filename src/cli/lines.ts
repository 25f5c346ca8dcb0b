import { createInterface, type Interface } from 'node:readline';
import { Writable } from 'node:stream';
import type { InputOptions } from './input.ts';

/**
 * Lines as they come, also those that come faster than they are asked for. At a terminal what is typed
 * shows while a question waits for it; what was typed before shows with its question, unless that hides it.
 */
export class Lines {
  readonly #options: InputOptions;
  readonly #interface: Interface;
  readonly #queue: string[] = [];
  #muted = true;
  #ended = false;
  #wake: (() => void) | undefined;

  constructor(options: InputOptions) {
    this.#options = options;
    const shown = new Writable({
      write: (chunk: Buffer, _encoding, done) => {
        if (!this.#muted) options.prompts.write(chunk);
        // At once, as what waits in here would be shown or not by what holds when its turn comes.
        done();
      },
    });
    // Where lines break, so that the cursor is put where it belongs.
    Object.defineProperty(shown, 'columns', { get: () => options.prompts.columns });
    this.#interface = createInterface({
      input: options.stdin,
      output: shown,
      terminal: options.stdin.isTTY === true,
      historySize: 0,
    });
    this.#interface.on('line', (line) => {
      // What follows in the same breath may be the answer to a question that hides it.
      this.#muted = true;
      this.#queue.push(line);
      this.#wake?.();
    });
    this.#interface.on('close', () => {
      this.#ended = true;
      this.#wake?.();
    });
    this.#interface.on('SIGINT', options.interrupt);
    // Back from the background it waits to be told to go on.
    this.#interface.on('SIGCONT', () => this.#interface.resume());
  }

  /** As `Input.line`. */
  async next(prompt: string, typed: 'shown' | 'hidden'): Promise<string | undefined> {
    const signal = this.#options.signal();
    signal.throwIfAborted();
    this.#ask(prompt, typed);
    const wake = () => this.#wake?.();
    signal.addEventListener('abort', wake);
    try {
      while (this.#queue.length === 0 && !this.#ended && !signal.aborted) {
        await new Promise<void>((resolve) => (this.#wake = resolve));
      }
    } finally {
      signal.removeEventListener('abort', wake);
      this.#muted = true;
    }
    const line = signal.aborted ? undefined : this.#queue.shift();
    const ended = line !== undefined && typed === 'shown' && this.#interface.terminal;
    if (!ended && prompt !== '') this.#options.prompts.write('\n');
    signal.throwIfAborted();
    return line;
  }

  close(): void {
    this.#interface.close();
    this.#options.stdin.destroy();
  }

  #ask(prompt: string, typed: 'shown' | 'hidden'): void {
    const [early] = this.#queue;
    this.#interface.setPrompt(prompt);
    if (typed === 'hidden' || !this.#interface.terminal) {
      this.#options.prompts.write(prompt);
    } else if (early !== undefined) {
      this.#options.prompts.write(`${prompt}${early}\n`);
    } else if (this.#ended) {
      this.#options.prompts.write(prompt);
    } else {
      this.#muted = false;
      // With what has been typed of the line, and the cursor behind it.
      this.#interface.prompt(true);
    }
  }
}
