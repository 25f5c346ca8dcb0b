import { Option, type Command } from '@commander-js/extra-typings';
import { parsePlatform } from '../core/platform.ts';
import type { Imported } from '../image/bundle/import.ts';
import type { Context } from './context.ts';
import { counted } from './evict.ts';
import * as flag from './flags.ts';
import { transfer } from './transfer.ts';
import { asUsage, UsageError } from './usage-error.ts';

const EXAMPLES = `
Examples:
  layover import all.tar newer.tar
  layover import --lock all.tar.lock.json all.tar.zst
  docker save app:1 | layover import --as ghcr.io/team/app:1 -
`;

export function addImport(
  program: Command,
  { actions, output, input, interruption }: Context,
): void {
  program
    .command('import')
    .description(
      'Imports the images of archives: bundles, OCI layouts, what docker saves; plain, gzip or zstd. Everything is verified before anything of an archive is visible; a tag that is there and means something else is not moved. What was imported stays until it is pruned with --imported. Also while the server runs.',
    )
    .argument(
      '<file...>',
      'archives, or folders in OCI layout, one after the other; - is standard input',
    )
    .addOption(flag.config())
    .addOption(flag.storage())
    .option('--overwrite', 'move tags that are there and mean something else')
    .option('--as <name>', 'what the image is to be called, of an archive that holds one')
    .option('--lock <file>', 'what the archive has to be, to the digest')
    .addOption(
      new Option(
        '--platform <os/arch>',
        'of an index only the image for this platform; several (default: all there are); an archive without a lock needs room for all of them meanwhile',
      ).argParser(several),
    )
    .option('--json', 'print what was imported as JSON, one object an archive')
    .option('-q, --quiet', 'tell failures only')
    .addHelpText('after', EXAMPLES)
    .action(async (files, { overwrite, as, lock, platform, json, quiet, ...more }) => {
      if (files.length > 1 && (as ?? lock) !== undefined) {
        throw new UsageError('--as and --lock are about one archive');
      }
      const standard = files.filter((file) => file === '-').length;
      if (standard > 1) throw new UsageError('standard input holds one archive');
      if (standard > 0 && input.watched === 'yes') {
        throw new UsageError(
          '- is standard input, which is a terminal: no archive comes from there',
        );
      }
      const { bundles } = await actions();
      const signal = interruption.listen();
      for (const file of files) {
        const label = file === '-' ? 'standard input' : file;
        using shown = transfer({ output, label, quiet });
        const imported = await bundles.import({
          ...flag.choices(more),
          file,
          stdin: input.bytes(),
          lock,
          as,
          platforms: platform ?? [],
          tags: overwrite === undefined ? 'keep' : 'overwrite',
          begin: (bytes) => shown.begin(bytes),
          progress: (bytes) => shown.add(bytes),
          signal,
        });
        shown.end(told(imported));
        if (json !== undefined) output.out(`${JSON.stringify({ file, ...imported })}\n`);
        else if (quiet === undefined) {
          for (const { name, digest, outcome, without } of imported.images) {
            const left = without.length === 0 ? '' : `, without ${without.join(', ')}`;
            output.out(`${name}  ${digest}  ${WORDS[outcome]}${left}\n`);
          }
        }
      }
    });
}

const WORDS = { new: 'new', same: 'was here', moved: 'moved', stays: 'means another' } as const;

const onePlatform = asUsage(parsePlatform);

function several(text: string, before: readonly string[] = []): readonly string[] {
  const texts = text.split(',');
  for (const one of texts) onePlatform(one);
  return [...before, ...texts];
}

function told({ images, blobs, bytes }: Omit<Imported, 'places'>): string {
  const what = `${images.length} ${images.length === 1 ? 'image' : 'images'}`;
  return `${what}: ${blobs === 0 ? 'everything was here' : `${counted({ blobs, bytes })} new`}`;
}
