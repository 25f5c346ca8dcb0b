import { run } from '../../../e2e/lib/process.ts';
import { fixed, MB } from '../row.ts';
import type { Placed } from './picture.ts';
import type { ClientRow } from './table.ts';
import { LAUNCHER, type Yard } from './yard.ts';

/** What may be fetched of the layer beyond the end of the file. */
const AHEAD = 256 * 1024;
const FIRST = 2 * MB;

/** What the registry sends of its blobs for one file, by where the file is. */
export async function carve(yard: Yard): Promise<readonly ClientRow[]> {
  const { layers, files } = yard.picture;
  const { first, middle, bottom } = files;
  const newer = layers.slice(bottom.layer + 1).reduce((sum, { size }) => sum + size, 0);
  const upTo = ({ compressed }: Placed): number => compressed + AHEAD;
  const rows: readonly (readonly [what: string, file: Placed, most: number, args: string[]])[] = [
    ['`cat` of a file in the first MB of the top layer', first, FIRST, []],
    ['`cat` of a file in the middle of the top layer', middle, upTo(middle), []],
    [
      '`cat --layer 0` of a file in the middle of the base',
      bottom,
      upTo(bottom),
      ['--layer', String(bottom.layer)],
    ],
    ['`cat` of the same file below nine layers', bottom, newer + upTo(bottom), []],
  ];
  const measured: ClientRow[] = [];
  for (const [what, file, most, args] of rows) {
    const bytes = await yard.blobBytes(() => cat(yard, file, args));
    measured.push({
      what: `${what}: bytes of blobs over the network`,
      layover: fixed(bytes / MB, 'MB'),
      target: { text: `≤ ${fixed(most / MB, 'MB')}`, met: bytes <= most },
    });
  }
  return measured;
}

/** @throws Error when what it prints is not the file */
async function cat(yard: Yard, file: Placed, args: readonly string[]): Promise<void> {
  const command = [LAUNCHER, 'cat', '--no-cache', ...args, yard.reference, file.path];
  const { env } = yard;
  const printed = await run('sh', ['-c', '"$@" | sha256sum', 'sh', ...command], { env });
  if (`sha256:${printed.split(' ')[0]}` !== file.sha256) throw new Error(`not ${file.path}`);
}
