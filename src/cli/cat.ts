import type { Command } from '@commander-js/extra-typings';
import { RegistryError } from '../core/errors.ts';
import type { FileEntry } from '../image/files/file-entry.ts';
import { listVersions } from '../image/files/list.ts';
import { openFile } from '../image/files/open-file.ts';
import { printableName } from '../layer/name.ts';
import { location } from './arguments.ts';
import { connecting } from './connection.ts';
import type { Context } from './context.ts';
import { fileLine } from './file-line.ts';
import { account, imageFiles, type ImageFiles } from './image-files.ts';
import { layerNumber } from './layer-number.ts';
import { platform } from './platform.ts';
import { UsageError } from './usage-error.ts';

const EXAMPLES = `
Examples:
  layover cat alpine:3.20 /etc/os-release
  layover cat --layer 0 ghcr.io/owner/app:1.2 etc/passwd
  layover cat --all-versions docker-archive:app.tar /app/settings.json
`;

export function addCat(program: Command, context: Context): void {
  connecting(program.command('cat'))
    .description(
      'Prints a file as a container would see it: links are followed, and no more of the image is fetched than it takes to find the file and read it. Where a layer has the path twice, that is the first one; a container would see the last one, which get of the folder saves.',
    )
    .argument('<image>', 'in a registry, a folder or an archive', location)
    .argument('<path>', 'of the file in the image, as ls prints it')
    .addOption(platform("of an index, the image for this platform (default: this machine's)"))
    .option('--layer <layer>', 'the file as this layer has it: 0 is the base, -1 the top')
    .option('--all-versions', 'every version that any layer has, the newest first')
    .addHelpText('after', EXAMPLES)
    .action(async (where, path, { layer, allVersions, ...options }) => {
      if (layer !== undefined && allVersions === true) {
        throw new UsageError('one of --layer and --all-versions');
      }
      const counted = account();
      await using files = await imageFiles(where, options, context, counted);
      if (allVersions === true) await printVersions(files, path, options.quiet, context);
      else {
        const index = layer === undefined ? undefined : layerNumber(layer, files.image.layers);
        await printFile(files, path, index, context);
      }
      if (options.quiet !== true) context.output.error(`${counted.told()}\n`);
    });
}

async function printFile(
  { image, reading }: ImageFiles,
  path: string,
  layer: number | undefined,
  { output }: Context,
): Promise<void> {
  await using file = await openFile(image, path, { ...reading, layer });
  for await (const chunk of file.body) await output.bytes(chunk);
}

/** What each of them is goes where errors go, in front of it. */
async function printVersions(
  files: ImageFiles,
  path: string,
  quiet: true | undefined,
  context: Context,
): Promise<void> {
  const versions: FileEntry[] = [];
  for await (const entry of listVersions(files.image, path, files.reading)) versions.push(entry);
  if (!versions.some(isFile)) {
    throw new RegistryError('FILE_UNKNOWN', `no layer has a file ${printableName(path)}`);
  }
  // Where a layer has a path twice, the first is what can be had of it.
  const printed = new Set<string>();
  for (const entry of versions) {
    const { index } = entry.layer;
    // A name that is no text is found by how it is printed, and so is the text itself.
    const version = `${index} ${entry.path}`;
    const again = isFile(entry) && printed.has(version);
    if (quiet !== true) context.output.error(fileLine(entry, { form: 'long', layers: 'told' }));
    if (!isFile(entry) || again) continue;
    printed.add(version);
    await printFile(files, entry.path, index, context);
  }
}

function isFile({ type }: FileEntry): boolean {
  return type === 'file' || type === 'hardlink';
}
