import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import fc from 'fast-check';
import { pythonList, pythonOf, pythonText } from '../../../src/cli/compat/python.ts';

const VECTORS: readonly (readonly [json: string, python: string])[] = [
  ['{}', '{}'],
  ['[]', '[]'],
  [' { "a" : [ 1 , 2.5 , -0 , null , true , false ] } ', "{'a': [1, 2.5, 0, None, True, False]}"],
  ['{"2":1,"1":2}', "{'2': 1, '1': 2}"],
  ['12345678901234567890', '12345678901234567890'],
  [
    '[1.0,1e5,1e16,1.5e-5,0.0001,1e22,-0.0,1E400]',
    '[1.0, 100000.0, 1e+16, 1.5e-05, 0.0001, 1e+22, -0.0, inf]',
  ],
  ['"it\'s"', '"it\'s"'],
  ['"it\'s \\"x\\""', "'it\\'s \"x\"'"],
  ['"a\\nb\\tc\\\\d\\u0001\\u007f\\u00a0\\u00ad"', "'a\\nb\\tc\\\\d\\x01\\x7f\\xa0\\xad'"],
  ['"\\u00e9\\u4e2d\\ud83d\\ude00\\u2028\\u200b"', "'é中😀\\u2028\\u200b'"],
  [
    '{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown","detail":"unknown tag=1.2.3"}]}',
    "{'errors': [{'code': 'MANIFEST_UNKNOWN', 'message': 'manifest unknown', 'detail': 'unknown tag=1.2.3'}]}",
  ],
];

for (const [json, python] of VECTORS) {
  test(`as Python prints it: ${json}`, () => {
    assert.equal(pythonOf(json), python);
  });
}

test('what is no JSON is refused', () => {
  assert.throws(() => pythonOf('{'), SyntaxError);
});

test('texts and lists of them', () => {
  assert.equal(pythonText("a'b"), '"a\'b"');
  assert.equal(pythonList(['linux/amd64', 'x']), "['linux/amd64', 'x']");
});

const python = spawnSync('python3', ['--version']).status === 0;

test('Python agrees', { skip: python ? false : 'there is no python3' }, () => {
  const values = fc.sample(fc.jsonValue({ maxDepth: 3 }), 300);
  const lines = values.map((value) => JSON.stringify(value));
  const script = 'import json,sys\nfor line in sys.stdin: print(ascii(repr(json.loads(line))))';
  const { stdout } = spawnSync('python3', ['-c', script], {
    input: `${lines.join('\n')}\n`,
    encoding: 'utf8',
  });
  const said = stdout.trimEnd().split('\n');
  for (const [index, line] of lines.entries()) {
    // Which characters are printable depends on the Unicode version of each.
    if (/[^\x20-\x7e]|\\u/.test(line)) continue;
    assert.equal(said[index], asciiOf(pythonOf(line)), line);
  }
});

/** Python's `ascii` of the repr of an ASCII text. */
function asciiOf(text: string): string {
  return pythonText(text);
}
