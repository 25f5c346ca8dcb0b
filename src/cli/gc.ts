import type { Command } from '@commander-js/extra-typings';
import { formatReference } from '../core/reference.ts';
import type { Collected } from '../hosted/collect.ts';
import { collectedLine, summed, type Collection } from '../hosted/collection.ts';
import type { Context } from './context.ts';
import * as flag from './flags.ts';
import { formatBytes } from './format-bytes.ts';

const EXAMPLES = `
Examples:
  layover gc --dry-run
  layover gc
  layover gc --dry-run --json | jq 'select(.type == "removed")'
`;

export function addGc(program: Command, { actions, output }: Context): void {
  program
    .command('gc')
    .description(
      'Removes manifests that no tag, pin, index or kept subject leads to, blobs that no manifest lists, and the content that nobody holds any more, in repositories that live here; the keys under gc say how long each stays. Also while the server runs.',
    )
    .addOption(flag.config())
    .addOption(flag.storage())
    .option('--dry-run', 'only list what would go, and count why the rest stays')
    .option('--json', 'print JSON, one object a line, sizes in bytes')
    .addHelpText('after', EXAMPLES)
    .action(async ({ json, dryRun, ...options }) => {
      const { upkeep } = await actions();
      const choices = flag.choices(options);
      const format = json === undefined ? asText : asJson;
      const collection =
        dryRun === undefined
          ? await upkeep.collect(choices)
          : await summed(printed(upkeep.garbage(choices), (one) => output.out(format(one))));
      if (json !== undefined) {
        output.out(`${JSON.stringify({ type: 'collection', ...collection })}\n`);
      }
      output.error(`${told(collection, dryRun === undefined ? 'removed' : 'would remove')}\n`);
    });
}

async function* printed(
  found: AsyncIterable<Collected>,
  print: (one: Collected) => void,
): AsyncGenerator<Collected> {
  for await (const one of found) {
    print(one);
    yield one;
  }
}

function asText(one: Collected): string {
  switch (one.type) {
    case 'removed': {
      const { repository, digest, kind, size } = one;
      return `${formatReference(repository, digest)} ${kind} ${formatBytes(size)}\n`;
    }
    case 'freed':
      return `${one.digest} content ${formatBytes(one.size)}\n`;
    case 'in-use':
      return `${one.digest} content ${formatBytes(one.size)} in use: stays for now\n`;
    case 'kept':
      return '';
  }
}

function asJson(one: Collected): string {
  return `${JSON.stringify(collectedLine(one))}\n`;
}

function told(collection: Collection, verb: string): string {
  const { manifests, blobs, freed, freedBytes, inUse, inUseBytes, kept } = collection;
  const reasons = Object.entries(kept).map(([why, count]) => `${count} ${why}`);
  const stays = reasons.length === 0 ? 'nothing is left' : `kept: ${reasons.join(', ')}`;
  const gone = `${manifests} ${manifests === 1 ? 'manifest' : 'manifests'} and ${blobs} ${blobs === 1 ? 'blob' : 'blobs'}`;
  const used =
    inUse === 0
      ? ''
      : `; ${formatBytes(inUseBytes)} in ${inUse} in use, left to the next collection`;
  return `${verb} ${gone}, ${formatBytes(freedBytes)} of content in ${freed}${used}; ${stays}`;
}
