import type { Command } from '@commander-js/extra-typings';
import type { Leaving } from '../store/inventory/evictable.ts';
import { age } from './age.ts';
import type { Context } from './context.ts';
import * as flag from './flags.ts';
import type { Missed } from './upkeep-actions.ts';
import { formatBytes } from './format-bytes.ts';

const EXAMPLES = `
Examples:
  layover evict --dry-run --to 50GiB
  layover evict --to 50GiB
  layover evict --dry-run --to 0 --json
`;

export function addEvict(program: Command, { actions, output }: Context): void {
  program
    .command('evict')
    .description(
      'Removes what nobody has asked for the longest until so much is left. What is pinned, lives here, is gone from its upstream or is being read stays. Also while the server runs.',
    )
    .addOption(flag.config())
    .addOption(flag.storage())
    .requiredOption('--to <size>', 'how much may stay, such as 50GiB')
    .option('--dry-run', 'only list what would go, and why')
    .option('--json', 'print JSON, one object a line, sizes in bytes')
    .addHelpText('after', EXAMPLES)
    .action(async ({ json, dryRun, to, ...options }) => {
      const { upkeep } = await actions();
      const choices = flag.choices(options);
      if (dryRun === undefined) {
        const removed = await upkeep.evict(choices, to);
        const missed = await upkeep.missed(choices, to, 0);
        if (json !== undefined) output.out(`${JSON.stringify({ ...removed, ...missed })}\n`);
        output.error(`removed ${counted(removed)}\n${asNote(missed, to)}`);
        return;
      }
      const sum = { blobs: 0, bytes: 0 };
      for await (const leaving of upkeep.leaving(choices, to)) {
        sum.blobs += 1;
        sum.bytes += leaving.size;
        output.out(json === undefined ? asText(leaving) : `${JSON.stringify(leaving)}\n`);
      }
      const missed = await upkeep.missed(choices, to, sum.bytes);
      output.error(`would remove ${counted(sum)}\n${asNote(missed, to)}`);
    });
}

function asNote(missed: Missed | undefined, to: string): string {
  if (missed === undefined) return '';
  const { left, over, kept } = missed;
  const why = `${formatBytes(kept)} of it are never evicted: "layover ls-cache" and "layover usage" tell what`;
  return `${formatBytes(left)} stay, ${formatBytes(over)} more than ${to}; ${why}\n`;
}

function asText({ digest, kind, size, lastUsed, repositories }: Leaving): string {
  const whose = repositories.length === 0 ? 'no repository' : repositories.join(', ');
  return `${digest}  ${formatBytes(size)}  ${kind}, last asked for ${age(lastUsed)} ago; ${whose}\n`;
}

export function counted({ blobs, bytes }: { readonly blobs: number; readonly bytes: number }) {
  return `${blobs} ${blobs === 1 ? 'blob' : 'blobs'}, ${formatBytes(bytes)}`;
}
