import { readFile, writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { scratch } from '../../../e2e/lib/scratch.ts';
import { chosen } from '../chosen.ts';
import { machine } from '../machine.ts';
import { verdict } from '../verdict.ts';
import { carve } from './carve.ts';
import { pulls } from './pulls.ts';
import { startUp } from './start-up.ts';
import { table, type ClientRow } from './table.ts';
import { yard } from './yard.ts';

const ROWS = { pulls, carve, startUp };
const HEADING = '## The client';

const { values: options } = parseArgs({
  options: {
    /** Fewer repeats, a smaller image. */
    quick: { type: 'boolean', default: false },
    /** Row names, comma between; all when left out. */
    only: { type: 'string' },
    /** A file whose last section is to be this one. */
    write: { type: 'string' },
  },
});

const measures = chosen(ROWS, options.only);
process.env['PATH'] += ':/usr/sbin:/sbin';
await using stack = new AsyncDisposableStack();
const folder = stack.use(await scratch());
const say = (text: string): void => console.error(`  ${text}`);
const here = await yard({ scratch: folder, say, size: options.quick ? 'quick' : 'full' }, stack);

const rows: ClientRow[] = [];
for (const [name, measure] of measures) {
  console.error(name);
  rows.push(...(await measure(here)));
}

const command = ['npm run bench:client --', ...process.argv.slice(2)].join(' ').replace(/ --$/, '');
const [processor, , date] = await machine();
const section = `${HEADING}

\`bin/layover\` beside skopeo and crane, one program at a time, against Debian's docker-registry on the
same machine. All in one run of \`${command}\` on

- ${processor}
- ${date}

Medians, the range in brackets. The image has ten layers that gzip brings to half. Wall time is from
start to exit, CPU user and system time together, memory the most that was resident (GNU time). skopeo
unpacks what it puts into docker's archives; Layover and crane leave layers as they are, and Layover
checks their digests and keeps them in its cache.

${table(rows)}

${verdict(rows)}
`;
console.log(section);
if (options.write !== undefined) {
  const document = await readFile(options.write, 'utf8');
  const [before = ''] = document.split(`${HEADING}\n`);
  await writeFile(options.write, `${before.trimEnd()}\n\n${section}`);
}
