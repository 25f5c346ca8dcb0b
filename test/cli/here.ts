import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { Readable, Writable } from 'node:stream';
import { terminalInput } from '../../src/cli/input.ts';
import { interruption } from '../../src/cli/interruption.ts';
import { run } from '../../src/cli/program.ts';
import { connect } from '../../src/compose/client.ts';
import { actionsFor } from '../../src/compose/actions.ts';

export interface Here {
  readonly code: number;
  readonly out: string;
  readonly data: Buffer;
  readonly error: string;
}

export interface HereOptions {
  /** Of whoever types: their home, above all. */
  readonly environment: Readonly<Record<string, string>>;
  /** What they type, or a pipe holds. */
  readonly stdin?: string;
}

/** A command line in this process, wired as the program wires it. */
export async function here(line: readonly string[], options: HereOptions): Promise<Here> {
  const { environment, stdin = '' } = options;
  const chunks: Buffer[] = [];
  let error = '';
  using input = terminalInput({
    stdin: Readable.from(stdin === '' ? [] : [Buffer.from(stdin)]),
    prompts: new Writable({
      write(chunk, _encoding, done) {
        error += String(chunk);
        done();
      },
    }),
    signal: () => new AbortController().signal,
    interrupt() {},
  });
  const code = await run(line, {
    version: '0.0.0',
    actions: async () => actionsFor({ version: '0.0.0', environment }),
    interruption: interruption(new EventEmitter()),
    input,
    environment,
    connect: (options) => connect(options, environment),
    output: {
      out: (text) => void chunks.push(Buffer.from(text)),
      error: (text) => (error += text),
      bytes: async (chunk) => void chunks.push(Buffer.from(chunk)),
      columns: 80,
      watched: 'no',
    },
  });
  const data = Buffer.concat(chunks);
  return { code, data, out: data.toString(), error };
}

/** What a line prints, and that it does so without a fault. */
export function printing(asked: (...line: readonly string[]) => Promise<Here>) {
  return async (...line: readonly string[]): Promise<string> => {
    const { code, out, error } = await asked(...line);
    assert.equal(code, 0, error);
    return out;
  };
}
