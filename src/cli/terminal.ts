import { once } from 'node:events';
import type { Writable } from 'node:stream';
import { systemCode } from '../core/errors.ts';
import type { Output } from './output.ts';

export interface TerminalOptions {
  readonly stdout: Writable;
  readonly stderr: Writable & { readonly isTTY?: boolean; readonly columns?: number };
  /**
   * Called when data cannot be written any more, with the exit code: 0 where nobody reads it
   * (`layover … | head`), 1 where it is lost, such as on a full disk, which has been told then.
   */
  readonly ended: (code: 0 | 1) => void;
}

/** Characters of a line where nobody says how many there are. */
const COLUMNS = 80;

/** For the error of a standard output. */
export function unwritable(
  error: Error,
  { stderr, ended }: Pick<TerminalOptions, 'stderr' | 'ended'>,
): void {
  if (systemCode(error) === 'EPIPE') return ended(0);
  stderr.write(`layover: the data cannot be written: ${error.message}\n`);
  ended(1);
}

/** The process's own streams as the place where verbs write. */
export function terminal({ stdout, stderr, ended }: TerminalOptions): Output {
  stdout.on('error', (error: Error) => unwritable(error, { stderr, ended }));
  return {
    out: (text) => void stdout.write(text),
    bytes: async (chunk) => {
      if (!stdout.write(chunk)) await once(stdout, 'drain');
    },
    error: (text) => void stderr.write(text),
    watched: stderr.isTTY === true ? 'yes' : 'no',
    get columns() {
      // A terminal whose size nobody has set says 0.
      return stderr.columns || COLUMNS;
    },
  };
}
