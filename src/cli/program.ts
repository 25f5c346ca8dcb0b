import { Command, CommanderError } from '@commander-js/extra-typings';
import type { Context } from './context.ts';
import { told } from './told.ts';
import { UsageError } from './usage-error.ts';
import { VERBS } from './verbs.ts';

/**
 * 0: done. 1: it failed, or what was looked at is wrong. 2: the command line makes no sense.
 * 130: interrupted, as shells say it.
 */
export type ExitCode = 0 | 1 | 2 | 130;

const EXAMPLES = `
Examples:
  layover serve
  layover pull alpine:3.20
  layover pull --ns docker.io localhost:8080/library/alpine:3.20
  layover cat alpine:3.20 /etc/os-release
  layover ls -l docker-archive:alpine-3.20.tar /etc
`;

/**
 * Runs one command line (without the interpreter and the script's name). Never throws and never ends
 * the process: what went wrong is written to the output.
 */
export async function run(line: readonly string[], context: Context): Promise<ExitCode> {
  try {
    const program = await programFor(line, context);
    await program.parseAsync(withHelp(program, line), { from: 'user' });
    return 0;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    if (context.interruption.aborted) {
      context.output.error('layover: interrupted\n');
      return 130;
    }
    if (error instanceof UsageError) {
      context.output.error(`layover: ${error.message}\n`);
      return 2;
    }
    context.output.error(`layover: ${told(error)}\n`);
    return 1;
  }
}

/**
 * The program with the verb that the line begins with. Otherwise with all of them: those that are named
 * further on, as in `help pull`, and of the others what `--help` says.
 */
async function programFor(line: readonly string[], context: Context): Promise<Command> {
  const program = bare(context);
  const called = VERBS.filter(({ name }) => name === line[0]);
  for (const { name, group, summary, load } of called.length > 0 ? called : VERBS) {
    if (line.includes(name)) {
      const add = await load();
      add(program, context);
    } else {
      program.command(name).summary(summary);
    }
    program.commands.at(-1)?.summary(summary).helpGroup(group);
  }
  return program;
}

/**
 * The line with `help A B` as `A B --help`. What is no command stands alone: help of others would be
 * no answer, and it is told that there is none.
 */
function withHelp(command: Pick<Command, 'commands'>, line: readonly string[]): readonly string[] {
  const [first, ...rest] = line;
  if (first === undefined || first.startsWith('-') || command.commands.length === 0) return line;
  const below = command.commands.find((one) => one.name() === first);
  if (below !== undefined) return [first, ...withHelp(below, rest)];
  if (first !== 'help') return [first];
  return withHelp(command, [...rest.filter((word) => word !== 'help'), '--help']);
}

function bare({ output, version }: Context): Command {
  return new Command('layover')
    .description('A caching pull-through mirror for container registries, and its client.')
    .version(`layover ${version}`, '--version')
    .exitOverride()
    .configureOutput({
      writeOut: (text) => output.out(text),
      writeErr: (text) => output.error(text),
      outputError: (text, write) => write(text.replace(/^error: /, 'layover: ')),
    })
    .showHelpAfterError('(--help lists what there is)')
    .addHelpText('after', EXAMPLES);
}
