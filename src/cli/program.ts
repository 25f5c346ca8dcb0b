import { Command, CommanderError } from '@commander-js/extra-typings';
import { systemCode } from '../core/errors.ts';
import { Finding, type Actions, type Output } from './actions.ts';
import { addServe } from './serve.ts';
import { addSettings } from './settings.ts';
import { addVerify } from './verify.ts';

/** 0: done. 1: it failed, or what was looked at is wrong. 2: the command line makes no sense. */
export type ExitCode = 0 | 1 | 2;

export interface ProgramOptions {
  readonly version: string;
  readonly actions: Actions;
  readonly output: Output;
}

const EXAMPLES = `
Examples:
  layover serve
  layover verify --storage /var/lib/layover
  layover settings check /etc/layover.yaml
`;

/**
 * Runs one command line (without the interpreter and the script's name). Never throws and never ends
 * the process: what went wrong is written to the output.
 */
export async function run(line: readonly string[], options: ProgramOptions): Promise<ExitCode> {
  try {
    await program(options).parseAsync(line, { from: 'user' });
    return 0;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    options.output.error(`layover: ${told(error)}\n`);
    return 1;
  }
}

function program({ version, actions, output }: ProgramOptions): Command {
  const program = new Command('layover')
    .description('A caching pull-through mirror for container registries.')
    .version(`layover ${version}`, '--version')
    .exitOverride()
    .configureOutput({
      writeOut: (text) => output.out(text),
      writeErr: (text) => output.error(text),
      outputError: (text, write) => write(text.replace(/^error: /, 'layover: ')),
    })
    .showHelpAfterError('(--help lists what there is)')
    .addHelpText('after', EXAMPLES);
  addServe(program, actions);
  addVerify(program, actions, output);
  addSettings(program, actions, output);
  return program;
}

/** What happened and why, without the stack; a defect is told with its stack, for whoever mends it. */
function told(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error instanceof Finding) return error.message;
  if (isDefect(error)) return error.stack ?? error.message;
  return error.cause instanceof Error ? `${error.message}: ${told(error.cause)}` : error.message;
}

function isDefect(error: Error): boolean {
  const defects = [TypeError, RangeError, ReferenceError, SyntaxError];
  return systemCode(error) === undefined && defects.some((kind) => error instanceof kind);
}
