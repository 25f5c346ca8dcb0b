import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { stringify } from 'smol-toml';
import { RegistryError } from '../../src/core/errors.ts';
import { block, withoutBlock } from '../../src/setup/block.ts';
import { statements } from '../../src/setup/toml-statements.ts';
import { parseToml, proven, quoted } from '../../src/setup/toml.ts';

const HARD = `\
# a comment with [brackets] and = signs
title = "a # that is no comment" # [one.that.is]
text = """
[not.a.table]
with "quotes" and \\""" inside"""
literal = '''
[neither] # nor a comment
''''
list = [
  ["[", "]"], # ]
  { a = "}" },
]
dotted."a.b".c = 1

  [plugins."io.x".'y.z'] # behind
  key = 1

[[many]]
[[many]]
last = true`;

test('statements are found where they are, whatever is in their strings and comments', () => {
  const found = statements(HARD).map(({ kind, path, value: [from, to] }) => [
    kind,
    path.join('|'),
    HARD.slice(from, to).split('\n')[0],
  ]);
  assert.deepEqual(found, [
    ['pair', 'title', '"a # that is no comment"'],
    ['pair', 'text', '"""'],
    ['pair', 'literal', "'''"],
    ['pair', 'list', '['],
    ['pair', 'dotted|a.b|c', '1'],
    ['table', 'plugins|io.x|y.z', `[plugins."io.x".'y.z']`],
    ['pair', 'key', '1'],
    ['list-table', 'many', '[[many]]'],
    ['list-table', 'many', '[[many]]'],
    ['pair', 'last', 'true'],
  ]);
});

const key = fc.string({ minLength: 1, maxLength: 8, unit: 'binary-ascii' });
const leaf = fc.oneof(
  fc.string({ unit: 'binary-ascii' }),
  fc.integer(),
  fc.boolean(),
  fc.array(fc.array(fc.string({ unit: 'binary-ascii' }), { maxLength: 3 }), { maxLength: 3 }),
);
const table = fc.dictionary(key, fc.oneof(leaf, fc.dictionary(key, leaf)), { maxKeys: 6 });

test('whatever a file holds, each of its values stands where it is said to', () => {
  fc.assert(
    fc.property(table, (toml) => {
      const text = stringify(toml);
      let outer: readonly string[] = [];
      for (const { kind, path, value } of statements(text)) {
        if (kind === 'table') outer = path;
        if (kind !== 'pair') continue;
        let expected: unknown = parseToml(text);
        for (const name of [...outer, ...path]) {
          expected = (expected as Record<string, unknown>)[name];
        }
        assert.deepEqual(parseToml(`v = ${text.slice(...value)}`)['v'], expected);
      }
    }),
    { numRuns: 300 },
  );
});

test('a text is quoted so that it is read back', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      // Half of a surrogate pair is no character.
      fc.pre(text.isWellFormed());
      assert.equal(parseToml(`v = ${quoted(text)}`)['v'], text);
    }),
  );
});

test('a fault is told with its place', () => {
  assert.throws(
    () => parseToml('a = 1\nb = \n'),
    (error: unknown) => {
      assert.ok(error instanceof RegistryError);
      assert.match(error.message, /^line 2, column \d+: /);
      return true;
    },
  );
});

test('an edit that says something else than it should is not let through', () => {
  assert.equal(proven('a = 1\n', { a: 1 }), 'a = 1\n');
  assert.throws(() => proven('a = 2\n', { a: 1 }), RegistryError);
  assert.throws(() => proven('a = = 2\n', { a: 1 }), RegistryError);
});

test('our block is found again, and half a block is not taken for one', () => {
  const text = `before\n${block(['ours'])}after\n`;
  assert.equal(withoutBlock(text), 'before\nafter\n');
  const torn = text.replace(/# <<<.*\n/, '');
  assert.equal(withoutBlock(torn), torn);
});
