import { globSync } from 'node:fs';
import { join } from 'node:path';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';

/**
 * Runs the suite's files one after the other (they share two cores with what they start) and says
 * at the end what was skipped and why. Arguments narrow it to the files whose names contain one.
 */
const wanted = process.argv.slice(2);
const files = globSync('*.test.ts', { cwd: import.meta.dirname })
  .filter((file) => wanted.length === 0 || wanted.some((part) => file.includes(part)))
  .toSorted()
  .map((file) => join(import.meta.dirname, file));
if (files.length === 0) throw new Error(`no test file matches ${wanted.join(' ')}`);

const skipped: string[] = [];
const events = run({ files, concurrency: false, timeout: 10 * 60 * 1000 });
events.on('test:fail', () => {
  process.exitCode = 1;
});
events.on('test:pass', ({ name, skip }) => {
  if (skip !== undefined) skipped.push(`${name}: ${skip === true ? 'no reason given' : skip}`);
});
events.compose(spec).pipe(process.stdout);
process.on('exit', () => {
  for (const line of skipped) console.log(`skipped: ${line}`);
  if (skipped.length === 0) console.log('skipped: nothing');
});
