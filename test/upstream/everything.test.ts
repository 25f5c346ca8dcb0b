import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { test } from 'node:test';

const FOLDER = new URL('../../src/upstream/', import.meta.url);

test('a server has loaded whatever an upstream loads when it is first asked for it', async () => {
  const whenAsked = new Set<string>();
  for (const name of await readdir(FOLDER)) {
    const text = await readFile(new URL(name, FOLDER), 'utf8');
    for (const [, file = ''] of text.matchAll(/\bimport\('\.\/([^']+)'\)/g)) whenAsked.add(file);
  }
  assert.ok(whenAsked.has('reading.ts'));
  const text = await readFile(new URL('everything.ts', FOLDER), 'utf8');
  const before = [...text.matchAll(/^import '\.\/([^']+)';$/gm)].map(([, file = '']) => file);
  assert.deepEqual(before, [...whenAsked].toSorted());
});
