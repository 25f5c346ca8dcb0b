import { addAbortSignal, type Readable, type Writable } from 'node:stream';
import { lazily } from '../core/lazily.ts';
import type { Lines } from './lines.ts';

/** What a verb is told by whoever runs it. Disposed, it leaves the terminal as it was. */
export interface Input extends Disposable {
  /** Whether a person types; otherwise lines come from a file or a program. */
  readonly watched: 'yes' | 'no';
  /** Everything that comes, up to its end. */
  text(): Promise<string>;
  /** The same as it comes. @throws the reason of the signal, once it is aborted */
  bytes(): AsyncIterable<Uint8Array>;
  /**
   * The next line, without its end, after the prompt was shown; `undefined` when there is none any
   * more. What is typed `hidden` is not shown. Once it is answered, or not, the prompt
   * is a line.
   * @throws the reason of the signal, once it is aborted
   */
  line(prompt: string, typed?: 'shown' | 'hidden'): Promise<string | undefined>;
}

export interface InputOptions {
  readonly stdin: Readable & { readonly isTTY?: boolean };
  /** Where prompts go and what is typed is shown. */
  readonly prompts: Writable & { readonly columns?: number | undefined };
  /** Ends a question that nobody will answer. */
  readonly signal: () => AbortSignal;
  /** Called for Ctrl-C, which a terminal passes on as a key while it is asked. */
  readonly interrupt: () => void;
}

/** The process's own input. Nothing is read before somebody asks. */
export function terminalInput(options: InputOptions): Input {
  const { stdin } = options;
  const watched = stdin.isTTY === true ? 'yes' : 'no';
  let opened: Lines | undefined;
  const lines = lazily(async () => {
    const { Lines } = await import('./lines.ts');
    opened = new Lines(options);
    return opened;
  });
  return {
    watched,
    async text() {
      const chunks: Buffer[] = [];
      for await (const chunk of stdin) chunks.push(Buffer.from(chunk as Uint8Array));
      return Buffer.concat(chunks).toString('utf8');
    },
    async *bytes() {
      const signal = options.signal();
      try {
        for await (const chunk of addAbortSignal(signal, stdin)) yield chunk as Uint8Array;
      } catch (error) {
        signal.throwIfAborted();
        throw error;
      }
    },
    async line(prompt, typed = 'shown') {
      if (opened === undefined && stdin.destroyed) {
        // Somebody has read all of it, and nothing would tell a reader of lines so.
        options.signal().throwIfAborted();
        options.prompts.write(`${prompt}\n`);
        return undefined;
      }
      return await (await lines()).next(prompt, watched === 'yes' ? typed : 'shown');
    },
    [Symbol.dispose]() {
      opened?.close();
    },
  };
}
