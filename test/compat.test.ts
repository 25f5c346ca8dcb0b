import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { hasTest } from './fixtures/documents.ts';

const ROOT = new URL('../', import.meta.url);

interface Row {
  readonly tool: string;
  readonly behaviour: string;
  readonly does: string;
  readonly tests: readonly string[];
}

const document = await readFile(new URL('docs/compat.md', ROOT), 'utf8');
const rows = document
  .split('\n')
  .filter((line) => line.startsWith('| ') && !line.startsWith('| tool |'))
  .map((line): Row => {
    const [, tool = '', behaviour = '', does = '', tests = ''] = line.split(/ ?(?<!\\)\| ?/);
    return { tool, behaviour, does, tests: tests.split('<br>') };
  });

test('every tool of docs/compat.md has what stays the same and what is different', () => {
  for (const tool of new Set(rows.map(({ tool }) => tool))) {
    const section = document.split(`\n## ${tool}\n`)[1]?.split('\n## ')[0] ?? '';
    assert.match(section, /### The same[\s\S]*### Different/, tool);
    const own = section.split('\n').filter((line) => line.startsWith(`| ${tool} | `));
    assert.equal(own.length, rows.filter((row) => row.tool === tool).length, tool);
  }
  for (const tool of ['imgpull', 'crpy', 'crget', 'registory-raider', 'layerslayer']) {
    assert.ok(rows.some((row) => row.tool === tool));
  }
});

for (const { tool, behaviour, does, tests } of rows) {
  test(`${tool}: ${behaviour} is held by tests that exist`, async () => {
    assert.notEqual(behaviour, '');
    assert.notEqual(does, '');
    for (const entry of tests) {
      const [, file = '', title = ''] = /^`([^`]+\.test\.ts)` › (.+)$/.exec(entry.trim()) ?? [];
      assert.ok(title !== '', `"${entry}" is not a file and a title`);
      const source = await readFile(new URL(file, ROOT), 'utf8');
      assert.ok(hasTest(source, title), `${file} has no test "${title}"`);
    }
  });
}
