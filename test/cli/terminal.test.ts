import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { terminal } from '../../src/cli/terminal.ts';

test('a terminal whose size nobody has set has lines of eighty characters', () => {
  const stdout = new PassThrough();
  const columns = (said?: number): number => {
    const stderr = Object.assign(new PassThrough(), { isTTY: true, columns: said });
    return terminal({ stdout, stderr: stderr as never, ended() {} }).columns;
  };
  assert.deepEqual([columns(0), columns(), columns(132)], [80, 80, 132]);
});
