import type { Output } from '../../output.ts';

/** Lines as Python's logging writes them, all of them where errors go. */
export interface Log {
  info(text: string): void;
  warning(text: string): void;
  error(text: string): void;
}

export function logTo(output: Output): Log {
  return {
    info: (text) => output.error(`INFO: ${text}\n`),
    warning: (text) => output.error(`WARNING: ${text}\n`),
    error: (text) => output.error(`ERROR: ${text}\n`),
  };
}

/** What ends the run: the message is the whole line. */
export class Refusal extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'Refusal';
  }
}
