import assert from 'node:assert/strict';
import { access, readFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { commandsOf, documents, hasTest, readDocument } from './fixtures/documents.ts';

const ROOT = new URL('../', import.meta.url);

/** As sites and editors make them of headings. */
function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}_ -]/gu, '')
    .replaceAll(' ', '-');
}

async function hasAnchor(name: string, anchor: string): Promise<boolean> {
  const headings = (await readDocument(name)).matchAll(/^#+ (.*)$/gm);
  return [...headings].some(([, heading = '']) => anchorOf(heading) === anchor);
}

for (const name of await documents()) {
  test(`the links of ${name} lead somewhere`, async () => {
    const text = (await readDocument(name)).replaceAll(/^```[\s\S]*?^```$/gm, '');
    for (const [, link = ''] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:/.test(link)) continue;
      const [file = '', anchor] = link.split('#');
      const target = file === '' ? name : path.join(path.dirname(name), file);
      await access(new URL(target, ROOT));
      if (anchor === undefined) continue;
      assert.ok(await hasAnchor(target, anchor), `${target} has no heading for #${anchor}`);
    }
  });

  test(`the tests that ${name} names exist`, async () => {
    const named = (await readDocument(name)).matchAll(
      /`((?:test|e2e)\/[^`]+\.test\.ts)` › ([^<|\n]+)/g,
    );
    for (const [, file = '', title = ''] of named) {
      const source = await readFile(new URL(file, ROOT), 'utf8');
      const found = hasTest(source, title.trim()) || source.includes(title.trim());
      assert.ok(found, `${file} has no test "${title.trim()}"`);
    }
  });

  test(`every command of ${name} is run by a test, or says what the tests lack for it`, async () => {
    for (const { heading, mark = '', text } of await commandsOf(name)) {
      const which = `the commands below "${heading}":\n${text}\n`;
      const [, how, what = ''] = /^(run by|needs) (.+)$/.exec(mark) ?? [];
      assert.ok(how !== undefined, `no <!-- run by FILE --> or <!-- needs WHAT --> above ${which}`);
      if (how === 'needs') continue;
      const source = await readFile(new URL(what, ROOT), 'utf8');
      if (what === '.ci/run') {
        const lines = text.split(/\n| && /).map((line) => line.replace(/\s*(#.*)?$/, ''));
        for (const line of lines) assert.ok(runs(source, line), `${what} does not run ${line}`);
        continue;
      }
      const call = new RegExp(
        String.raw`commandsUnder\(\s*'${escaped(name)}',\s*'${escaped(heading)}'`,
      );
      assert.match(source, call, `${what} does not run ${which}`);
    }
  });
}

/** `.ci/run` runs what `npm run check` consists of one by one. */
function runs(source: string, line: string): boolean {
  const parts = line === 'npm run check' ? ['types', 'lint', 'format:check'] : undefined;
  if (parts !== undefined) return parts.every((part) => source.includes(`npm run -s ${part}`));
  return source.includes(line.replace('npm run ', 'npm run -s ')) || source.includes(line);
}

function escaped(text: string): string {
  return text.replaceAll("'", "\\'").replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);
}
