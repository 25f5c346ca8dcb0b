import type { Context } from '../../context.ts';
import { told } from '../../told.ts';
import { helpOf, usageOf } from '../argparse-help.ts';
import { ArgumentError, parseArguments, type Grammar } from '../argparse.ts';
import { COMMANDS, MAIN, type CommandName } from './grammar.ts';
import type { Command } from './session.ts';

/** As the system shows the -1 that crpy ends with. */
const FAILED = 255;
const USAGE = 2;

/** crpy's command line: data on standard output, everything else where errors go. */
export async function crpy(line: readonly string[], context: Context): Promise<number> {
  const { output, interruption } = context;
  let grammar = MAIN;
  try {
    const main = parseArguments(MAIN, line);
    const [place] = MAIN.positionals;
    const name = main?.values.get(place?.name ?? '');
    const command = COMMANDS.find((one) => one.name === name);
    if (main === undefined || command === undefined) {
      output.out(
        helpOf(
          MAIN,
          COMMANDS.map(({ name, help }) => [name, help]),
        ),
      );
      return 0;
    }
    grammar = grammarOf(command);
    const parsed = parseArguments(grammar, main.rest);
    if (parsed === undefined) {
      output.out(helpOf(grammar));
      return 0;
    }
    const connection = {
      proxy: main.values.get('proxy'),
      ...(main.values.has('insecure') && { insecure: true as const }),
    };
    await run(command.name, { values: parsed.values, connection, context });
    return 0;
  } catch (error) {
    if (interruption.aborted) throw error;
    if (error instanceof ArgumentError) {
      output.error(`${usageOf(grammar)}${grammar.program}: error: ${error.message}\n`);
      return USAGE;
    }
    output.error(red(told(error), context));
    return FAILED;
  }
}

function grammarOf({ name, help, options, positionals }: (typeof COMMANDS)[number]): Grammar {
  return { program: `crpy ${name}`, description: help, options, positionals };
}

async function run(name: CommandName, command: Command): Promise<void> {
  switch (name) {
    case 'pull':
      return (await import('./pull.ts')).crpyPull(command);
    case 'push':
      return (await import('./push.ts')).crpyPush(command);
    case 'login':
      return (await import('./logins.ts')).crpyLogin(command);
    case 'logout':
      return (await import('./logins.ts')).crpyLogout(command);
    case 'auth':
      return (await import('./logins.ts')).crpyAuth(command);
    case 'manifest':
      return (await import('./inspect.ts')).crpyManifest(command);
    case 'config':
      return (await import('./inspect.ts')).crpyConfig(command);
    case 'commands':
      return (await import('./inspect.ts')).crpyCommands(command);
    case 'layer':
      return (await import('./inspect.ts')).crpyLayer(command);
    case 'repositories':
      return (await import('./listing.ts')).crpyRepositories(command);
    case 'tags':
      return (await import('./listing.ts')).crpyTags(command);
    case 'delete':
      return (await import('./listing.ts')).crpyDelete(command);
    case 'resolve':
      return (await import('./listing.ts')).crpyResolve(command);
    case 'version':
      command.context.output.out(`${command.context.version}\n`);
  }
}

/** In red where somebody watches. */
function red(text: string, { output, environment }: Context): string {
  const coloured = output.watched === 'yes' && !environment['NO_COLOR'];
  return coloured ? `\u001b[31m${text}\u001b[0m\n` : `${text}\n`;
}
