import { once } from 'node:events';
import type { Writable } from 'node:stream';
import { systemCode } from '../core/errors.ts';
import type { Output } from './output.ts';

export interface TerminalOptions {
  readonly stdout: Writable;
  readonly stderr: Writable & { readonly isTTY?: boolean; readonly columns?: number };
  /** Called when nobody reads the data any more (`layover … | head`): there is nothing left to do. */
  readonly unread: () => void;
}

/** Characters of a line where nobody says how many there are. */
const COLUMNS = 80;

/** The process's own streams as the place where verbs write. */
export function terminal({ stdout, stderr, unread }: TerminalOptions): Output {
  stdout.on('error', (error: Error) => {
    if (systemCode(error) !== 'EPIPE') throw error;
    unread();
  });
  return {
    out: (text) => void stdout.write(text),
    bytes: async (chunk) => {
      if (!stdout.write(chunk)) await once(stdout, 'drain');
    },
    error: (text) => void stderr.write(text),
    watched: stderr.isTTY === true ? 'yes' : 'no',
    get columns() {
      return stderr.columns ?? COLUMNS;
    },
  };
}
