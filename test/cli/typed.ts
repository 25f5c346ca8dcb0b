import { EventEmitter } from 'node:events';
import { Readable, Writable } from 'node:stream';
import type { Actions } from '../../src/cli/actions.ts';
import { terminalInput } from '../../src/cli/input.ts';
import { interruption } from '../../src/cli/interruption.ts';
import { run } from '../../src/cli/program.ts';
import { connect } from '../../src/compose/client.ts';

export interface TypedOptions {
  readonly actions: Actions;
  readonly version?: string;
  /** Whether somebody looks on; nobody does if left out. */
  readonly watched?: 'yes' | 'no';
}

/** What a line comes to, of which only the actions are played. */
export async function typed(line: readonly string[], options: TypedOptions) {
  const { actions, version = '1.2.3', watched = 'no' } = options;
  const told = { out: '', error: '' };
  const code = await run(line, {
    version,
    actions: async () => actions,
    interruption: interruption(new EventEmitter()),
    input: terminalInput({
      stdin: Readable.from([]),
      prompts: new Writable(),
      signal: () => new AbortController().signal,
      interrupt() {},
    }),
    environment: {},
    connect: async (given) => connect(given, {}),
    output: {
      out: (text) => (told.out += text),
      error: (text) => (told.error += text),
      bytes: async (chunk) => void (told.out += Buffer.from(chunk).toString('latin1')),
      columns: 80,
      watched,
    },
  });
  return { code, ...told };
}
