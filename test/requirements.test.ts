import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';

const ROOT = new URL('../', import.meta.url);
const NUMBERS = [
  ...Array.from({ length: 62 }, (_, index) => `S${index + 1}`),
  ...Array.from({ length: 13 }, (_, index) => `U${index + 1}`),
];

const document = await readFile(new URL('docs/requirements.md', ROOT), 'utf8');
const [tables = '', exceptions = ''] = document.split('## Not held by a test of its own');
const rows = [...tables.matchAll(/^\| *([SU]\d+) *\|[^|]*\|([^|]*)\|$/gm)].map(
  ([, number = '', cell = '']) => ({ number, tests: cell.trim() }),
);
const excepted = new Set([...exceptions.matchAll(/^- ([SU]\d+):/gm)].map(([, number]) => number));

test('every requirement has its row, once', () => {
  assert.deepEqual(
    rows.map(({ number }) => number),
    NUMBERS,
  );
});

for (const { number, tests } of rows) {
  test(`${number} is held by tests that exist, or said not to be`, async () => {
    if (excepted.has(number)) return assert.equal(tests, '—');
    for (const entry of tests.split('<br>')) {
      const [, file = '', title = ''] = /^`([^`]+\.test\.ts)` › (.+)$/.exec(entry.trim()) ?? [];
      assert.ok(title !== '', `"${entry}" is not a file and a title`);
      const lines = (await readFile(new URL(file, ROOT), 'utf8')).split('\n');
      const found = lines.some((line) => /\b(?:test|suite)\(/.test(line) && line.includes(title));
      assert.ok(found, `${file} has no test "${title}"`);
    }
  });
}
