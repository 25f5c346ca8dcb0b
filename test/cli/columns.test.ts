import assert from 'node:assert/strict';
import { test } from 'node:test';
import { columns } from '../../src/cli/columns.ts';

test('columns are as wide as their widest cell, and nothing trails', () => {
  const rows = [
    ['NAME', 'SIZE', 'WHAT'],
    ['a', '10', ''],
    ['longer', '1000', 'x'],
  ];
  assert.equal(
    columns(rows, ['left', 'right']),
    'NAME    SIZE  WHAT\na         10\nlonger  1000  x\n',
  );
});

test('no rows are no text', () => assert.equal(columns([]), ''));
