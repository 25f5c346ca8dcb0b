import type { Command } from '@commander-js/extra-typings';
import { findFiles } from '../image/files/find.ts';
import { parseGlob } from '../image/files/glob.ts';
import { location } from './arguments.ts';
import { connecting } from './connection.ts';
import type { Context } from './context.ts';
import { printEntries } from './file-listing.ts';
import { account, imageFiles } from './image-files.ts';
import { platform } from './platform.ts';
import { asUsage } from './usage-error.ts';

const EXAMPLES = `
Examples:
  layover find alpine:3.20 '*.conf'
  layover find -l ghcr.io/owner/app:1.2 '/usr/**/lib*.so*'
  layover find --all-versions docker-archive:app.tar '.env'
`;

export function addFind(program: Command, context: Context): void {
  connecting(program.command('find'))
    .description(
      'Prints the files of an image whose path matches a pattern, as soon as they are read, the newest layer first. None is no failure.',
    )
    .argument('<image>', 'in a registry, a folder or an archive', location)
    .argument(
      '<pattern>',
      "of the last name, such as '*.so'; with a / of the whole path, where ** is any folders",
      asUsage(checkedPattern),
    )
    .addOption(platform("of an index, the image for this platform (default: this machine's)"))
    .option('-l, --long', 'with type, mode, owner, group, size and time (UTC)')
    .option('--all-versions', 'find what is overwritten and deleted, too')
    .option('--json', 'print a JSON array')
    .addHelpText('after', EXAMPLES)
    .action(async (where, pattern, { long, json, allVersions, ...options }) => {
      const counted = account();
      await using files = await imageFiles(where, options, context, counted);
      const all = allVersions === true;
      const entries = findFiles(files.image, pattern, {
        ...files.reading,
        versions: all ? 'all' : 'visible',
      });
      const form = {
        form: long === true ? 'long' : 'name',
        layers: all ? 'told' : 'left out',
      } as const;
      const count = await printEntries(entries, json === true ? 'json' : form, context.output);
      if (options.quiet === true) return;
      context.output.error(`${count} found; ${counted.told()}\n`);
    });
}

function checkedPattern(text: string): string {
  parseGlob(text);
  return text;
}
