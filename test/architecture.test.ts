import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const SOURCE = path.join(ROOT, 'src');

/** What a file names after `from`, or loads when it is needed. */
const IMPORTED = /(?:from |import\()'(\.[^']+)'/g;

/** `from --> to` for every folder of src whose files import files of another one. */
function imports(): readonly string[] {
  const arrows = new Set<string>();
  for (const name of readdirSync(SOURCE, { recursive: true, encoding: 'utf8' })) {
    if (!name.endsWith('.ts')) continue;
    const file = path.join(SOURCE, name);
    for (const [, target = ''] of readFileSync(file, 'utf8').matchAll(IMPORTED)) {
      const [from, to] = [file, path.resolve(file, '..', target)].map((one) =>
        path.basename(path.relative(SOURCE, one).split(path.sep)[0] ?? '', '.ts'),
      );
      if (from !== to) arrows.add(`${from} --> ${to}`);
    }
  }
  return [...arrows].toSorted();
}

test('the picture in docs/architecture.md is what the code says', () => {
  const text = readFileSync(path.join(ROOT, 'docs/architecture.md'), 'utf8');
  const drawn = [...text.matchAll(/^ {2}(\w+ --> \w+)$/gm)].map(([, arrow]) => arrow ?? '');
  assert.deepEqual(drawn.toSorted(), imports());
});
