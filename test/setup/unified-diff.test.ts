import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { unifiedDiff } from '../../src/setup/unified-diff.ts';
import { temporaryFolder } from '../fixtures/temporary.ts';

test('a diff says what changes, with three lines around it', () => {
  const lines = Array.from({ length: 12 }, (_, index) => `${index}\n`);
  const before = lines.join('');
  const after = lines.with(5, 'five\n').join('');
  assert.equal(
    unifiedDiff('/etc/x', before, after),
    '--- /etc/x\n+++ /etc/x\n@@ -3,7 +3,7 @@\n 2\n 3\n 4\n-5\n+five\n 6\n 7\n 8\n',
  );
  assert.equal(unifiedDiff('/x', before, before), '');
});

const text = fc
  .array(fc.constantFrom('a', 'b', 'c', ''), { maxLength: 20 })
  .map((lines) => lines.join('\n'));

test('patch makes of the one text the other', async (t) => {
  try {
    execFileSync('patch', ['--version'], { stdio: 'ignore' });
  } catch {
    t.skip('there is no patch program');
    return;
  }
  await using folder = await temporaryFolder();
  const file = path.join(folder.path, 'file');
  await fc.assert(
    fc.asyncProperty(text, text, async (before, after) => {
      const diff = unifiedDiff('file', before, after);
      if (diff === '') return;
      await writeFile(file, before);
      execFileSync('patch', ['-s', '--no-backup-if-mismatch', file], { input: diff });
      assert.equal(await readFile(file, 'utf8').catch(() => ''), after);
    }),
    { numRuns: 40 },
  );
});
