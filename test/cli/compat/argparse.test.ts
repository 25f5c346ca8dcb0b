import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { helpOf, usageOf } from '../../../src/cli/compat/argparse-help.ts';
import {
  ArgumentError,
  parseArguments,
  type Grammar,
  type OptionRule,
} from '../../../src/cli/compat/argparse.ts';

const option = (
  name: string,
  flags: string,
  takes: OptionRule['takes'],
  more = {},
): OptionRule => ({
  name,
  flags: flags.split(' '),
  takes,
  help: `what ${name} does`,
  ...more,
});

const GRAMMAR: Grammar = {
  program: 'tool',
  options: [
    option('config', '-c --config', 'value'),
    option('layer', '--layer', 'value', { integer: true }),
    option('user', '-u --username', 'maybe'),
    option('loud', '-l --loud', 'nothing'),
    option('long', '-x --long', 'nothing'),
    option('four', '-f --four', 'nothing', { group: 'ip' }),
    option('six', '-s --six', 'nothing', { group: 'ip' }),
  ],
  positionals: [
    { name: 'url', count: 'one', help: 'where' },
    { name: 'file', count: 'optional', help: 'what' },
  ],
};

interface Case {
  readonly line: readonly string[];
  readonly read: Readonly<Record<string, string>> | string | undefined;
}

const CASES: readonly Case[] = [
  { line: ['u'], read: { url: 'u' } },
  { line: ['u', 'f'], read: { url: 'u', file: 'f' } },
  { line: ['-c', 'x', 'u'], read: { config: 'x', url: 'u' } },
  { line: ['-cx', 'u'], read: { config: 'x', url: 'u' } },
  { line: ['-c=x', 'u'], read: { config: 'x', url: 'u' } },
  { line: ['--config=x=y', 'u'], read: { config: 'x=y', url: 'u' } },
  { line: ['u', '--conf', 'x'], read: { config: 'x', url: 'u' } },
  { line: ['u', '--layer', '-1'], read: { layer: '-1', url: 'u' } },
  { line: ['u', '-2'], read: { url: 'u', file: '-2' } },
  { line: ['u', '-'], read: { url: 'u', file: '-' } },
  { line: ['u', '--', '--loud'], read: { url: 'u', file: '--loud' } },
  { line: ['u', '-u', '-l'], read: { loud: 'true', url: 'u' } },
  { line: ['u', '-u', 'me'], read: { user: 'me', url: 'u' } },
  { line: ['u', '-u'], read: { url: 'u' } },
  { line: ['-lx', 'u'], read: { loud: 'true', long: 'true', url: 'u' } },
  { line: ['u', '-six'], read: 'unrecognized arguments: -ix' },
  { line: [], read: 'the following arguments are required: url' },
  { line: ['u', 'f', 'g', 'h'], read: 'unrecognized arguments: g h' },
  { line: ['u', '--nope'], read: 'unrecognized arguments: --nope' },
  { line: ['u', '--lo'], read: 'ambiguous option: --lo could match --loud, --long' },
  { line: ['u', '-c'], read: 'argument -c/--config: expected one argument' },
  { line: ['u', '-c', '--loud'], read: 'argument -c/--config: expected one argument' },
  { line: ['u', '--layer', 'x'], read: "argument --layer: invalid int value: 'x'" },
  { line: ['u', '--loud=x'], read: "argument -l/--loud: ignored explicit argument 'x'" },
  { line: ['u', '-f', '--six'], read: 'argument --six: not allowed with argument -f' },
  { line: ['-h'], read: undefined },
  { line: ['u', '--help', '--nope'], read: undefined },
];

for (const { line, read } of CASES) {
  test(`argparse reads ${JSON.stringify(line)}`, () => {
    if (typeof read === 'string') {
      assert.throws(() => parseArguments(GRAMMAR, line), new ArgumentError(read));
      return;
    }
    const parsed = parseArguments(GRAMMAR, line);
    assert.deepEqual(parsed && Object.fromEntries(parsed.values), read);
  });
}

test('argparse leaves what follows the command to the command', () => {
  const main: Grammar = {
    program: 'tool',
    options: [option('loud', '-l --loud', 'nothing')],
    positionals: [{ name: '{a,b}', count: 'optional', choices: ['a', 'b'], help: 'do' }],
    rest: 'own',
  };
  const parsed = parseArguments(main, ['-l', 'a', '--help', '-l']);
  assert.deepEqual(parsed?.rest, ['--help', '-l']);
  assert.throws(
    () => parseArguments(main, ['c']),
    new ArgumentError("argument {a,b}: invalid choice: 'c' (choose from 'a', 'b')"),
  );
  assert.equal(usageOf(main), 'usage: tool [-h] [-l] {a,b} ...\n');
});

test('argparse ends with a result or an ArgumentError, whatever it is given', () => {
  const word = fc.oneof(
    fc.constantFrom('--', '-', '-h', '-c', '-l', '--lo', '--layer', '--config=', '-u', '-1', 'u'),
    fc.string(),
    fc.string().map((text) => `-${text}`),
  );
  fc.assert(
    fc.property(fc.array(word), (line) => {
      try {
        parseArguments(GRAMMAR, line);
      } catch (error) {
        assert.ok(error instanceof ArgumentError, String(error));
      }
    }),
  );
});

test('the help lists everything, wrapped', () => {
  const help = helpOf({ ...GRAMMAR, description: 'Does it.', epilog: 'The end.' });
  assert.ok(help.startsWith('usage: tool [-h] [-c CONFIG] [--layer LAYER] [-u [USER]] [-l]'));
  assert.match(help, /^ {2}-c CONFIG, --config CONFIG\n {24}what config does$/m);
  assert.match(help, /^ {2}-l, --loud {12}what loud does$/m);
  assert.match(help, /\n\nThe end\.\n$/);
});
