import type { Writable } from 'node:stream';
import { systemCode } from '../core/errors.ts';
import type { Output } from './actions.ts';

export interface TerminalOptions {
  readonly stdout: Writable;
  readonly stderr: Writable & { readonly isTTY?: boolean };
  /** Called when nobody reads the data any more (`layover … | head`): there is nothing left to do. */
  readonly unread: () => void;
}

/** The process's own streams as the place where verbs write. */
export function terminal({ stdout, stderr, unread }: TerminalOptions): Output {
  stdout.on('error', (error: Error) => {
    if (systemCode(error) !== 'EPIPE') throw error;
    unread();
  });
  return {
    out: (text) => void stdout.write(text),
    error: (text) => void stderr.write(text),
    watched: stderr.isTTY === true ? 'yes' : 'no',
  };
}
