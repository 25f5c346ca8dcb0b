import type { Command } from '@commander-js/extra-typings';
import type { Context } from './context.ts';
import { counted } from './evict.ts';
import * as flag from './flags.ts';

const EXAMPLES = `
Examples:
  layover prune --dry-run 'docker.io/library/*:1.*'
  layover prune --unused-for 30d
  layover prune --older-than 90d 'ghcr.io/team/**'
`;

export function addPrune(program: Command, { actions, output }: Context): void {
  program
    .command('prune')
    .description(
      'Removes cached images, and of their content what no other image has. Everything that is said has to be true of an image. Pinned images stay, and so do imported ones without --imported. Also while the server runs.',
    )
    .argument('[pattern...]', 'registry/name:tag; * is any part of a name, ** any parts')
    .addOption(flag.config())
    .addOption(flag.storage())
    .option('--older-than <duration>', 'first pulled so long ago, such as 90d')
    .option('--unused-for <duration>', 'last pulled so long ago, such as 30d')
    .option('--gone', 'also images that their upstream no longer has: they cannot come back')
    .option('--imported', 'also images that were imported')
    .option('--dry-run', 'only list what would go')
    .option('--json', 'print one JSON object')
    .addHelpText('after', EXAMPLES)
    .action(
      async (patterns, { json, dryRun, gone, imported, olderThan, unusedFor, ...options }) => {
        const { upkeep } = await actions();
        const choices = {
          ...flag.choices(options),
          patterns,
          olderThan,
          unusedFor,
          gone: gone === undefined ? ('spare' as const) : ('include' as const),
          imported: imported === undefined ? ('spare' as const) : ('include' as const),
        };
        const pruned = await (dryRun === undefined
          ? upkeep.prune(choices)
          : upkeep.planPrune(choices));
        if (json === undefined) for (const image of pruned.images) output.out(`${image}\n`);
        else output.out(`${JSON.stringify(pruned)}\n`);
        const verb = dryRun === undefined ? 'removed' : 'would remove';
        const images = `${pruned.images.length} ${pruned.images.length === 1 ? 'image' : 'images'}`;
        output.error(`${verb} ${images}: ${counted(pruned)}\n`);
        if (patterns.length === 0) return;
        for (const [why, count] of await upkeep.spared(choices)) {
          const option = why === 'gone' || why === 'imported' ? `; --${why} removes that, too` : '';
          const name = count === 1 ? '1 image that fits stays' : `${count} images that fit stay`;
          output.error(`${name}: ${why}${option}\n`);
        }
      },
    );
}
