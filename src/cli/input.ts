import { createInterface, type Interface } from 'node:readline';
import { Writable, type Readable } from 'node:stream';

/** What a verb is told by whoever runs it. Disposed, it leaves the terminal as it was. */
export interface Input extends Disposable {
  /** Whether a person types; otherwise lines come from a file or a program. */
  readonly watched: 'yes' | 'no';
  /** Everything that comes, up to its end. */
  text(): Promise<string>;
  /**
   * The next line, without its end, after the prompt was shown; `undefined` when there is none any
   * more. What is typed `hidden` is not shown.
   * @throws the reason of the signal, once it is aborted
   */
  line(prompt: string, typed?: 'shown' | 'hidden'): Promise<string | undefined>;
}

export interface InputOptions {
  readonly stdin: Readable & { readonly isTTY?: boolean };
  /** Where prompts go and what is typed is shown. */
  readonly prompts: Writable;
  /** Ends a question that nobody will answer. */
  readonly signal: () => AbortSignal;
  /** Called for Ctrl-C, which a terminal passes on as a key while it is asked. */
  readonly interrupt: () => void;
}

/** The process's own input. Nothing is read before somebody asks. */
export function terminalInput(options: InputOptions): Input {
  const { stdin } = options;
  const watched = stdin.isTTY === true ? 'yes' : 'no';
  let lines: Lines | undefined;
  return {
    watched,
    async text() {
      const chunks: Buffer[] = [];
      for await (const chunk of stdin) chunks.push(Buffer.from(chunk as Uint8Array));
      return Buffer.concat(chunks).toString('utf8');
    },
    async line(prompt, typed = 'shown') {
      lines ??= new Lines(options);
      return await lines.next(prompt, watched === 'yes' ? typed : 'shown');
    },
    [Symbol.dispose]() {
      lines?.close();
    },
  };
}

/** Lines as they come, also those that come faster than they are asked for. */
class Lines {
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
