import { HELP, type Grammar, type OptionRule } from './argparse.ts';

/** Where help texts begin, and where lines end. */
const COLUMN = 24;
const WIDTH = 100;

/** One line, which also stands before what is wrong with a command line. */
export function usageOf({ program, options, positionals, rest }: Grammar): string {
  const flags = [HELP, ...options].map((rule) => `[${shown(rule, rule.flags[0] ?? '')}]`);
  const places = positionals.map(({ name, count, choices }) => {
    return count === 'one' || choices !== undefined ? name : `[${name}]`;
  });
  return `usage: ${[program, ...flags, ...places, ...(rest === 'own' ? ['...'] : [])].join(' ')}\n`;
}

/** What `--help` prints. @param commands each with what it does, where there are some */
export function helpOf(
  grammar: Grammar,
  commands: readonly (readonly [name: string, help: string])[] = [],
): string {
  const positionals = grammar.positionals.map(({ name, help }): Row => ({
    indent: 2,
    head: name,
    help,
  }));
  const options = [HELP, ...grammar.options].map((rule): Row => {
    const head = rule.flags.map((flag) => shown(rule, flag)).join(', ');
    return { indent: 2, head, help: rule.help };
  });
  const below = commands.map(([head, help]): Row => ({ indent: 4, head, help }));
  return [
    usageOf(grammar),
    ...(grammar.description === undefined ? [] : [`${grammar.description}\n`]),
    ...section('positional arguments', [...positionals, ...below]),
    ...section('options', options),
    ...(grammar.epilog === undefined ? [] : [`${grammar.epilog}\n`]),
  ].join('\n');
}

interface Row {
  readonly indent: number;
  readonly head: string;
  readonly help: string;
}

function section(title: string, rows: readonly Row[]): readonly string[] {
  return rows.length === 0 ? [] : [`${title}:\n${rows.map(row).join('')}`];
}

function row({ indent, head, help }: Row): string {
  const start = `${' '.repeat(indent)}${head}`;
  const lines = wrapped(help);
  const first = lines[0] ?? '';
  const fits = start.length <= COLUMN - 2;
  const rest = (fits ? lines.slice(1) : lines).map((line) => `${' '.repeat(COLUMN)}${line}\n`);
  return (fits ? `${start.padEnd(COLUMN)}${first}`.trimEnd() : start) + `\n${rest.join('')}`;
}

function wrapped(text: string): readonly string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last !== undefined && COLUMN + last.length + 1 + word.length <= WIDTH) {
      lines[lines.length - 1] = `${last} ${word}`;
    } else lines.push(word);
  }
  return lines;
}

function shown({ name, takes, metavar = name.toUpperCase() }: OptionRule, flag: string): string {
  switch (takes) {
    case 'nothing':
      return flag;
    case 'value':
      return `${flag} ${metavar}`;
    case 'maybe':
      return `${flag} [${metavar}]`;
  }
}
