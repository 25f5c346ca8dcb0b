import type { Command } from '@commander-js/extra-typings';
import { columns } from './columns.ts';
import type { Context } from './context.ts';
import * as flag from './flags.ts';

const PATTERN = 'registry/name, :tag or @digest if wanted; * is any part of a name, ** any parts';

export function addPin(program: Command, { actions, output }: Context): void {
  program
    .command('pin')
    .description(
      'Has images that fit a pattern never be evicted. Without a pattern: lists the pins.',
    )
    .argument('[pattern]', PATTERN)
    .addOption(flag.config())
    .addOption(flag.storage())
    .option('--json', 'print one JSON object a line')
    .addHelpText(
      'after',
      `\nExamples:\n  layover pin nginx:1.27\n  layover pin 'ghcr.io/team/**'\n  layover pin\n`,
    )
    .action(async (pattern, { json, ...options }) => {
      const { upkeep } = await actions();
      const choices = flag.choices(options);
      if (pattern !== undefined) {
        const outcome = await upkeep.pin(choices, pattern);
        output.error(outcome === 'changed' ? 'pinned\n' : 'was pinned already\n');
        const stranger = await upkeep.stranger(choices, pattern);
        if (stranger !== undefined) {
          output.error(
            `${stranger} is no upstream of the configuration: nothing comes from there\n`,
          );
        }
        return;
      }
      const pins = await upkeep.pins(choices);
      if (json === undefined) {
        output.out(columns(pins.map(({ pattern, from }) => [pattern, from])));
      } else {
        for (const pin of pins) output.out(`${JSON.stringify(pin)}\n`);
      }
    });
}

export function addUnpin(program: Command, { actions, output }: Context): void {
  program
    .command('unpin')
    .description('Takes a pin away: images that fit no other one may be evicted again.')
    .argument('<pattern>', 'as it was pinned')
    .addOption(flag.config())
    .addOption(flag.storage())
    .addHelpText('after', `\nExample:\n  layover unpin nginx:1.27\n`)
    .action(async (pattern, options) => {
      await (await actions()).upkeep.unpin(flag.choices(options), pattern);
      output.error('no longer pinned\n');
    });
}
