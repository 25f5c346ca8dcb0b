import { rm, stat } from 'node:fs/promises';
import { REMOVE } from '../../../e2e/lib/scratch.ts';
import { fixed, MB, median, spread } from '../row.ts';
import { measured, type Cost } from './measured.ts';
import type { ClientRow } from './table.ts';
import { LAUNCHER, type Yard } from './yard.ts';

const MEMORY = 150 * MB;

/** The image into a docker archive by each client, nothing cached; then once more through the cache. */
export async function pulls(yard: Yard): Promise<readonly ClientRow[]> {
  const { reference, scratch, skopeo, crane, env } = yard;
  const file = scratch.at('pulled.tar');
  const cache = scratch.at('pull-cache');
  const ours = [LAUNCHER, 'pull', '-q', '-o', file] as const;
  const clients: Record<string, readonly [string, ...string[]]> = {
    layover: [...ours, '--cache', cache, reference],
    uncached: [...ours, '--no-cache', reference],
    skopeo: [
      ...skopeo,
      '--insecure-policy',
      'copy',
      '--quiet',
      '--src-tls-verify=false',
      `docker://${reference}`,
      `docker-archive:${file}:bench/app:v1`,
    ],
    ...(crane && { crane: [...crane, 'pull', reference, file] }),
  };
  const costs: Record<string, Cost[]> = {};
  // In turns, so that a slow minute of the machine hits all alike. The first round fills what Node
  // keeps of compiled sources, and is not counted.
  for (let at = -1; at < yard.repeats; at += 1) {
    for (const [name, command] of Object.entries(clients)) {
      await rm(file, REMOVE);
      await rm(cache, REMOVE);
      const cost = await measured(command, env);
      if (at >= 0) (costs[name] ??= []).push(cost);
      if ((await stat(file)).size < totalOf(yard)) throw new Error(`${name}: not the whole image`);
    }
    if (at >= 0) yard.say(`pulls: ${at + 1} of ${yard.repeats}`);
  }
  const cached = (): Promise<Cost> => measured(clients['layover'] ?? ours, env);
  await rm(cache, REMOVE);
  const first = await yard.blobBytes(cached);
  if (first < totalOf(yard)) throw new Error(`the first pull took ${first} bytes: miscounted`);
  const again = await yard.blobBytes(cached);
  return [...rowsOf(costs, yard), againRow(again)];
}

/** What the layers weigh at least, as archives hold them: compressed or not. */
function totalOf({ picture }: Yard): number {
  return picture.layers.reduce((sum, { size }) => sum + size, 0);
}

function rowsOf(costs: Record<string, Cost[]>, yard: Yard): readonly ClientRow[] {
  const of = (name: string, figure: 'seconds' | 'cpu' | 'peak'): readonly number[] =>
    (costs[name] ?? []).map((cost) => cost[figure] / (figure === 'peak' ? MB : 1));
  const size = (totalOf(yard) / MB).toFixed(0);
  const line = (
    what: string,
    ours: string,
    figure: 'seconds' | 'cpu' | 'peak',
    target?: ClientRow['target'],
  ): ClientRow => {
    const [unit, digits] = figure === 'peak' ? ['MB', 0] : ['s', 2];
    const shown = (name: string): string => spread(of(name, figure), unit, digits);
    return {
      what,
      layover: shown(ours),
      skopeo: shown('skopeo'),
      ...(yard.crane && { crane: shown('crane') }),
      ...(target && { target }),
    };
  };
  const wall = (ours: string): ClientRow['target'] => ({
    text: "≤ skopeo's",
    met: median(of(ours, 'seconds')) <= median(of('skopeo', 'seconds')),
  });
  const memory = (ours: string): ClientRow['target'] => ({
    text: `≤ ${fixed(MEMORY / MB, 'MB', 0)}`,
    met: Math.max(...of(ours, 'peak')) <= MEMORY / MB,
  });
  return [
    line(
      `pull of ${size} MB in ten layers to a docker archive: wall time`,
      'layover',
      'seconds',
      wall('layover'),
    ),
    line('the same: CPU', 'layover', 'cpu'),
    line('the same: peak resident', 'layover', 'peak', memory('layover')),
    line('the same with `--no-cache`: wall time', 'uncached', 'seconds', wall('uncached')),
    line('the same: CPU', 'uncached', 'cpu'),
    line('the same: peak resident', 'uncached', 'peak', memory('uncached')),
  ];
}

function againRow(bytes: number): ClientRow {
  return {
    what: 'the second pull through the cache: bytes of blobs over the network',
    layover: String(bytes),
    target: { text: '0', met: bytes === 0 },
  };
}
