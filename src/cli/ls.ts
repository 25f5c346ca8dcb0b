import type { Command } from '@commander-js/extra-typings';
import type { FileEntry } from '../image/files/file-entry.ts';
import type { ImageLayers, ReadOptions } from '../image/files/image-layers.ts';
import { listImage, listLayer, listLayers } from '../image/files/list.ts';
import { location } from './arguments.ts';
import { connecting } from './connection.ts';
import type { Context } from './context.ts';
import { entriesBelow, imageEntriesBelow, type Depth } from './entries-below.ts';
import { printEntries } from './file-listing.ts';
import { account, imageFiles } from './image-files.ts';
import { layerNumber } from './layer-number.ts';
import { platform } from './platform.ts';
import { UsageError } from './usage-error.ts';

const EXAMPLES = `
Examples:
  layover ls alpine:3.20
  layover ls -l alpine:3.20 /etc
  layover ls -R --all-versions docker-archive:app.tar /etc
  layover ls --layer -1 --json ghcr.io/owner/app:1.2 | jq -r '.[].path'
`;

/** What is listed. */
interface Scope {
  readonly layer?: string | undefined;
  readonly layers?: true | undefined;
  readonly allVersions?: true | undefined;
  readonly recursive?: true | undefined;
}

export function addLs(program: Command, context: Context): void {
  connecting(program.command('ls'))
    .description(
      'Lists the files of an image as a container would see them: all of them, or those of a folder. An entry is printed as soon as it is read, the newest layer first.',
    )
    .argument('<image>', 'in a registry, a folder or an archive', location)
    .argument('[path]', 'list what is in this folder; links on the way are followed')
    .addOption(platform("of an index, the image for this platform (default: this machine's)"))
    .option('-l, --long', 'with type, mode, owner, group, size and time (UTC)')
    .option('-R, --recursive', 'of the folder, everything below it')
    .option(
      '--layer <layer>',
      'list this layer as it is, with what it deletes: 0 is the base, -1 the top; or its digest',
    )
    .option('--layers', 'list every layer as it is, the base first')
    .option('--all-versions', 'list what is overwritten and deleted, too, and what did that')
    .option('--json', 'print a JSON array')
    .addHelpText('after', EXAMPLES)
    .action(async (where, path, { long, json, ...options }) => {
      const scope = checked(options);
      const counted = account();
      await using files = await imageFiles(where, options, context, counted);
      const entries = entriesOf(files.image, path, scope, files.reading);
      const layers = scope.layers === true || scope.allVersions === true ? 'told' : 'left out';
      const form = { form: long === true ? 'long' : 'name', layers } as const;
      await printEntries(entries, json === true ? 'json' : form, context.output);
      if (options.quiet !== true) context.output.error(`${counted.told()}\n`);
    });
}

/** @throws UsageError for more than one answer to what is listed */
function checked(scope: Scope): Scope {
  const { layer, layers, allVersions } = scope;
  const chosen = [layer !== undefined, layers === true, allVersions === true].filter(Boolean);
  if (chosen.length < 2) return scope;
  throw new UsageError('one of --layer, --layers and --all-versions');
}

function entriesOf(
  image: ImageLayers,
  path: string | undefined,
  { layer, layers, allVersions, recursive }: Scope,
  reading: ReadOptions,
): AsyncIterable<FileEntry> {
  const depth: Depth = recursive === true ? 'all' : 'children';
  if (layer !== undefined || layers === true) {
    const entries =
      layer === undefined
        ? listLayers(image, reading)
        : listLayer(image, layerNumber(layer, image.layers), reading);
    return path === undefined ? entries : entriesBelow(entries, path, depth);
  }
  const options = { ...reading, versions: allVersions === true ? 'all' : 'visible' } as const;
  return path === undefined
    ? listImage(image, options)
    : imageEntriesBelow(image, path, depth, options);
}
