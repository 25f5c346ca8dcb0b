import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import * as fc from 'fast-check';
import { parseNamePattern } from '../../src/core/name-pattern.ts';
import { isPath } from '../../src/core/reference.ts';

const ROWS: readonly [pattern: string, matches: readonly string[], not: readonly string[]][] = [
  ['apps/**', ['apps/a', 'apps/a/b/c'], ['apps', 'apps2/a', 'my/apps/a']],
  ['apps/*', ['apps/a', 'apps/a.b-c_d'], ['apps', 'apps/a/b']],
  ['**', ['a', 'a/b/c'], []],
  ['**/cache', ['a/cache', 'a/b/cache'], ['cache', 'a/cache/b']],
  ['a/**/z', ['a/b/z', 'a/b/c/z'], ['a/z']],
  ['team-*/x.y', ['team-a/x.y', 'team-/x.y'], ['team-a/xzy', 'team/x.y']],
  ['tools/crane', ['tools/crane'], ['tools/crane2', 'tools']],
];

suite('a pattern of names', () => {
  for (const [text, matches, not] of ROWS) {
    test(text, () => {
      const pattern = parseNamePattern(text);
      for (const name of matches) assert.equal(pattern?.matches(name), true, name);
      for (const name of not) assert.equal(pattern?.matches(name), false, name);
    });
  }

  for (const text of ['', '/', 'a//b', 'A', 'a/', 'a/***', 'a**', 'a b', '[a]', 'a'.repeat(256)]) {
    test(`is not ${JSON.stringify(text.slice(0, 20))}`, () => {
      assert.equal(parseNamePattern(text), undefined);
    });
  }

  test('that is a name matches that name alone', () => {
    const part = fc.stringMatching(/^[a-z0-9]+(?:[._-][a-z0-9]+)*$/);
    const name = fc.array(part, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/'));
    fc.assert(
      fc.property(name, name, (one, other) => {
        fc.pre(isPath(one) && isPath(other));
        assert.equal(parseNamePattern(one)?.matches(other), one === other);
      }),
    );
  });
});
