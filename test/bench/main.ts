import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { scratch } from '../../e2e/lib/scratch.ts';
import { chosen } from './chosen.ts';
import { daemon } from './daemon.ts';
import { machine } from './machine.ts';
import { nginx } from './nginx.ts';
import type { Bench, Line, Row } from './row.ts';
import { budget } from './rows/budget.ts';
import { carry } from './rows/carry.ts';
import { coldAndWarm } from './rows/cold.ts';
import { firstByte } from './rows/first-byte.ts';
import { manifestByTag } from './rows/manifest.ts';
import { memory } from './rows/memory.ts';
import { push, pushTogether } from './rows/push.ts';
import { store } from './rows/store.ts';
import { together } from './rows/together.ts';
import { table } from './table.ts';
import { tree } from './tree.ts';
import { verdict } from './verdict.ts';

const ROWS = {
  together,
  coldAndWarm,
  firstByte,
  manifestByTag,
  memory,
  store,
  budget,
  carry,
  push,
  pushTogether,
};

const { values: options } = parseArgs({
  options: {
    /** Fewer repeats, smaller sizes. */
    quick: { type: 'boolean', default: false },
    /** Row names, comma between; all when left out. */
    only: { type: 'string' },
    /** A file for the result. */
    write: { type: 'string' },
  },
});

const measures = chosen(ROWS, options.only);
process.env['PATH'] += ':/usr/sbin:/sbin';
const started = performance.now();
await using folder = await scratch();
const files = await tree(folder.at('tree'));
await using upstream = await nginx(folder, 'upstream', files);
let lines = 0;

const bench: Bench = {
  scratch: folder,
  tree: files,
  upstream,
  size: options.quick ? 'quick' : 'full',
  say: (text) => console.error(`  ${text}`),
  line: async (bytesPerSecond): Promise<Line> => {
    lines += 1;
    const line = await daemon(folder.at(`line-${lines}.log`), /line on (\d+)/, [
      process.execPath,
      '--disable-warning=ExperimentalWarning',
      join(import.meta.dirname, 'line.ts'),
      String(upstream.port),
      String(bytesPerSecond),
    ]);
    const port = Number(line.ready[1]);
    const end = (): PromiseLike<void> => line[Symbol.asyncDispose]();
    return { port, url: `http://127.0.0.1:${port}`, [Symbol.asyncDispose]: end };
  },
};

const rows: Row[] = [];
for (const [name, measure] of measures) {
  console.error(name);
  rows.push(...(await measure(bench)));
}

const command = ['npm run bench --', ...process.argv.slice(2)].join(' ').replace(/ --$/, '');
const report = `# Benchmarks

Layover beside Debian's docker-registry as a pull-through proxy in front of the same upstream, and
nginx serving the same files as the limit of what is possible. All in one run of \`${command}\` on

${(await machine()).map((line) => `- ${line}`).join('\n')}

Medians, the range in brackets. CPU is user and system time of all the server's threads. Every
client checks what it received; nothing is pinned to a processor, and clients, upstream and the
throttled line share the machine with the server. For manifests the upstream of both proxies is a
docker-registry, which its proxy asks at every request; for blobs it is nginx.

${table(rows)}

${verdict(rows)}
`;
console.log(report);
if (options.write !== undefined) await writeFile(options.write, report);
console.error(`${((performance.now() - started) / 1000).toFixed(0)} s`);
