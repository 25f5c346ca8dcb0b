/** An option, as Python's argparse has them. */
export interface OptionRule {
  readonly name: string;
  readonly flags: readonly string[];
  /** `maybe`: the value may be left out, and then it is as if the option were. */
  readonly takes: 'nothing' | 'value' | 'maybe';
  readonly integer?: true;
  /** What stands for the value in the help; the name in capitals if left out. */
  readonly metavar?: string;
  readonly help: string;
  /** Of those that share a word only one may be given. */
  readonly group?: string;
}

export interface PositionalRule {
  readonly name: string;
  readonly count: 'one' | 'optional';
  readonly help: string;
  /** What it may be. */
  readonly choices?: readonly string[];
}

/** What a command line may hold. */
export interface Grammar {
  /** As the usage calls it, with the subcommand. */
  readonly program: string;
  readonly description?: string;
  readonly epilog?: string;
  readonly options: readonly OptionRule[];
  readonly positionals: readonly PositionalRule[];
  /** `own`: what follows the first positional belongs to a subcommand. */
  readonly rest?: 'own';
}

export interface Arguments {
  readonly values: ReadonlyMap<string, string>;
  readonly rest: readonly string[];
}

/** The command line makes no sense; says so as argparse does, without the usage. */
export class ArgumentError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'ArgumentError';
  }
}

export const HELP: OptionRule = {
  name: 'help',
  flags: ['-h', '--help'],
  takes: 'nothing',
  help: 'show this help message and exit',
};

const INTEGER = /^\s*[+-]?\d+(?:_\d+)*\s*$/;
const NEGATIVE = /^-(?:\d+|\d*\.\d+)$/;

/**
 * Reads a command line as argparse would: options anywhere, `--flag=value`, `-fvalue`, short flags
 * together, long ones cut short, `--` before what is no option. `undefined`: help is asked for.
 * @throws ArgumentError
 */
export function parseArguments(grammar: Grammar, line: readonly string[]): Arguments | undefined {
  return new Reading(grammar, line).run();
}

interface Found {
  readonly rule: OptionRule;
  readonly flag: string;
  readonly attached?: string;
}

class Reading {
  readonly #grammar: Grammar;
  readonly #line: readonly string[];
  readonly #options: readonly OptionRule[];
  readonly #values = new Map<string, string>();
  readonly #given = new Map<string, string>();
  readonly #positionals: string[] = [];
  #at = 0;

  constructor(grammar: Grammar, line: readonly string[]) {
    this.#grammar = grammar;
    this.#line = line;
    this.#options = [HELP, ...grammar.options];
  }

  run(): Arguments | undefined {
    const { rest, positionals } = this.#grammar;
    let optionsEnded = false;
    while (this.#at < this.#line.length) {
      const text = this.#line[this.#at] ?? '';
      this.#at += 1;
      if (text === '--' && !optionsEnded) {
        optionsEnded = true;
        continue;
      }
      if (optionsEnded || !this.#looksLikeOption(text)) {
        this.#positionals.push(text);
        if (rest === 'own') break;
        continue;
      }
      if (!this.#option(text)) return undefined;
    }
    const given = this.#positionals.slice(0, positionals.length);
    const extra = this.#positionals.slice(positionals.length);
    for (const [index, rule] of positionals.entries()) this.#positional(rule, given[index]);
    const missing = positionals.filter(({ count }, index) => {
      return count === 'one' && given[index] === undefined;
    });
    if (missing.length > 0) {
      const names = missing.map(({ name }) => name).join(', ');
      throw new ArgumentError(`the following arguments are required: ${names}`);
    }
    if (extra.length > 0) throw new ArgumentError(`unrecognized arguments: ${extra.join(' ')}`);
    return { values: this.#values, rest: this.#line.slice(this.#at) };
  }

  #positional({ name, choices }: PositionalRule, value: string | undefined): void {
    if (value === undefined) return;
    if (choices !== undefined && !choices.includes(value)) {
      const listed = choices.map((choice) => `'${choice}'`).join(', ');
      throw new ArgumentError(
        `argument ${name}: invalid choice: '${value}' (choose from ${listed})`,
      );
    }
    this.#values.set(name, value);
  }

  /** `false`: help was asked for. */
  #option(text: string): boolean {
    const found = this.#find(text);
    if (found === undefined) throw new ArgumentError(`unrecognized arguments: ${text}`);
    const { rule, flag, attached } = found;
    if (rule.name === HELP.name) return false;
    this.#exclude(rule, flag);
    if (rule.takes === 'nothing') {
      this.#values.set(rule.name, 'true');
      if (attached === undefined) return true;
      const more = !flag.startsWith('--') && !text.includes('=');
      if (more) return this.#option(`-${attached}`);
      throw new ArgumentError(`argument ${named(rule)}: ignored explicit argument '${attached}'`);
    }
    const value = attached ?? this.#next();
    if (value === undefined) {
      if (rule.takes === 'maybe') return true;
      throw new ArgumentError(`argument ${named(rule)}: expected one argument`);
    }
    if (rule.integer === true && !INTEGER.test(value)) {
      throw new ArgumentError(`argument ${named(rule)}: invalid int value: '${value}'`);
    }
    this.#values.set(rule.name, value);
    return true;
  }

  #exclude({ group, ...rule }: OptionRule, flag: string): void {
    if (group === undefined) return;
    const before = this.#given.get(group);
    if (before !== undefined && !rule.flags.includes(before)) {
      throw new ArgumentError(`argument ${flag}: not allowed with argument ${before}`);
    }
    this.#given.set(group, flag);
  }

  #next(): string | undefined {
    const text = this.#line[this.#at];
    if (text === undefined || text === '--' || this.#looksLikeOption(text)) return undefined;
    this.#at += 1;
    return text;
  }

  #looksLikeOption(text: string): boolean {
    if (!text.startsWith('-') || text === '-') return false;
    if (this.#find(text) !== undefined) return true;
    const numbers = this.#options.some(({ flags }) => flags.some((flag) => NEGATIVE.test(flag)));
    return !(NEGATIVE.test(text) && !numbers) && !text.includes(' ');
  }

  #find(text: string): Found | undefined {
    const equals = text.indexOf('=');
    const word = equals === -1 ? text : text.slice(0, equals);
    const attached = equals === -1 ? {} : { attached: text.slice(equals + 1) };
    const exact = this.#options.find(({ flags }) => flags.includes(word));
    if (exact !== undefined) return { rule: exact, flag: word, ...attached };
    if (!text.startsWith('--')) {
      const flag = text.slice(0, 2);
      const rule = this.#options.find(({ flags }) => flags.includes(flag));
      return rule && { rule, flag, attached: text.slice(2) };
    }
    const matches = this.#options.flatMap((rule) =>
      rule.flags.filter((flag) => flag.startsWith(word)).map((flag) => ({ rule, flag })),
    );
    const [first, second] = matches;
    if (second !== undefined && matches.some(({ rule }) => rule !== first?.rule)) {
      const listed = matches.map(({ flag }) => flag).join(', ');
      throw new ArgumentError(`ambiguous option: ${text} could match ${listed}`);
    }
    return first && { ...first, ...attached };
  }
}

/** As messages and the help call an option. */
function named({ flags }: OptionRule): string {
  return flags.join('/');
}
