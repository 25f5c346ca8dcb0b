import { spawnSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { fixed, median } from '../row.ts';
import type { ClientRow } from './table.ts';
import { LAUNCHER, REPOSITORY, type Yard } from './yard.ts';

/** What a command line costs before it does anything, against Node with nothing to do. */
export async function startUp(yard: Yard): Promise<readonly ClientRow[]> {
  const empty = yard.scratch.at('empty.mjs');
  await writeFile(empty, '');
  const commands = {
    empty: [process.execPath, empty],
    version: [LAUNCHER, '--version'],
    tags: [LAUNCHER, 'tags', `127.0.0.1:${yard.registry.port}/${REPOSITORY}`],
  } as const;
  const took: Record<keyof typeof commands, number[]> = { empty: [], version: [], tags: [] };
  const env = { ...process.env, ...yard.env };
  const rounds = 4 * yard.repeats;
  for (let at = -1; at < rounds; at += 1) {
    for (const name of ['empty', 'version', 'tags'] as const) {
      const [command, ...args] = commands[name];
      const began = performance.now();
      const { status, stderr } = spawnSync(command, args, { env, encoding: 'utf8' });
      if (status !== 0) throw new Error(`${name} ended with ${status}\n${stderr}`);
      // The first round fills what Node keeps of compiled sources.
      if (at >= 0) took[name].push(performance.now() - began);
    }
  }
  const row = (name: 'version' | 'tags', what: string, most: number): ClientRow => {
    const [ours, base] = [median(took[name]), median(took.empty)];
    return {
      what,
      layover: `${fixed(ours, 'ms', 0)}: ${(ours / base).toFixed(2)} × an empty script (${fixed(base, 'ms', 0)})`,
      target: { text: `≤ ${most} × an empty script`, met: ours / base <= most },
    };
  };
  return [
    row('version', 'start-up: `layover --version`', 1.5),
    row('tags', 'start-up: `layover tags` of a local registry', 4),
  ];
}
