import path from 'node:path';
import type { Command } from '@commander-js/extra-typings';
import type { Descriptor } from '../core/descriptor.ts';
import {
  getLayer,
  getLayerPath,
  getVersions,
  type GotVersions,
} from '../image/files/get-layers.ts';
import { getPath, saveLayer, type Got } from '../image/files/get.ts';
import { NONE_LOST } from '../image/files/xattrs.ts';
import { layerBytes } from '../image/files/layer-bytes.ts';
import { location } from './arguments.ts';
import { connecting } from './connection.ts';
import type { Context } from './context.ts';
import { fileLine } from './file-line.ts';
import { formatBytes } from './format-bytes.ts';
import { account, imageFiles, type ImageFiles } from './image-files.ts';
import { layerNumber } from './layer-number.ts';
import { leftOut } from './left-out.ts';
import type { Output } from './output.ts';
import { platform } from './platform.ts';
import { printHeld } from './standard-output.ts';
import { UsageError } from './usage-error.ts';

const EXAMPLES = `
Examples:
  layover get alpine:3.20 /etc/os-release
  layover get -o ./etc ghcr.io/owner/app:1.2 /etc
  layover get --layer -1 -o ./top docker-archive:app.tar
  layover get --layer 0 --raw alpine:3.20
  layover get --layer 0 ghcr.io/owner/app:1.2 /etc
  layover get --all-versions -o ./passwd ghcr.io/owner/app:1.2 /etc/passwd
`;

/** What is taken. */
interface Wanted {
  readonly layer?: string | undefined;
  readonly allVersions?: true | undefined;
  readonly raw?: true | undefined;
  readonly output?: string | undefined;
  readonly sameOwner?: true | undefined;
  readonly specialBits?: true | undefined;
}

export function addGet(program: Command, context: Context): void {
  connecting(program.command('get'))
    .description(
      'Saves a file, a folder or a whole layer on this disk, with modes and times. Nothing is written outside of the target, whatever the image says, and nothing before all of it is there; files whose names climb by .. are left out, although ls and cat tell them where a container would have them.',
    )
    .argument('<image>', 'in a registry, a folder or an archive', location)
    .argument(
      '[path]',
      'of the file or folder in the image, as a container would see it and ls prints it',
    )
    .addOption(platform("of an index, the image for this platform (default: this machine's)"))
    .option('-o, --output <target>', 'the file or folder (default: the last name of the path)')
    .option(
      '--layer <layer>',
      'a whole layer, or the path as this layer has it: 0 is the base, -1 the top; or its digest',
    )
    .option(
      '--all-versions',
      'every version of the file that any layer has, each as LAYER/PATH below the target',
    )
    .option('--raw', 'the layer as it is stored, not extracted; -o - prints it')
    .option('--same-owner', 'give files the owners that they have in the image')
    .option('--special-bits', 'keep setuid, setgid and sticky')
    .addHelpText('after', EXAMPLES)
    .action(
      async (
        where,
        at,
        { layer, allVersions, raw, output, sameOwner, specialBits, ...options },
      ) => {
        const wanted = checked(at, { layer, allVersions, raw, output, sameOwner, specialBits });
        const counted = account();
        await using files = await imageFiles(where, options, context, counted);
        const got = await take(files, at, wanted, context.output);
        if (options.quiet !== true) {
          const form = { form: 'long', layers: 'told' } as const;
          for (const entry of got.versions ?? []) context.output.error(fileLine(entry, form));
        }
        for (const line of leftOut(got)) context.output.error(`layover: ${line}\n`);
        if (options.quiet === true) return;
        const { files: count, bytes, target } = got;
        context.output.error(
          `${target}: ${count} ${count === 1 ? 'file' : 'files'}, ${formatBytes(bytes)}; ${counted.told()}\n`,
        );
      },
    );
}

/** @throws UsageError for what is nothing, or two things, or has no name on this disk */
function checked(at: string | undefined, wanted: Wanted): Wanted {
  const { layer, allVersions, raw, output } = wanted;
  if (at === undefined && layer === undefined) {
    throw new UsageError('say what to save: a path, or a layer by --layer');
  }
  if (at !== undefined && raw === true) throw new UsageError('--raw is for a whole layer');
  if (allVersions === true && (at === undefined || layer !== undefined)) {
    throw new UsageError('--all-versions is for a path, in all layers');
  }
  if (output === '-' && raw !== true) {
    throw new UsageError('-o - is for --raw; a file is printed by cat, folders are for the disk');
  }
  if (raw === true && layer === undefined) throw new UsageError('--raw is for --layer');
  if (at !== undefined && output === undefined && lastName(at) === undefined) {
    throw new UsageError(`say where to save ${JSON.stringify(at)}: --output`);
  }
  return wanted;
}

async function take(
  { image, reading }: ImageFiles,
  at: string | undefined,
  { layer, allVersions, raw, output, sameOwner, specialBits }: Wanted,
  out: Output,
): Promise<Got & Partial<GotVersions>> {
  const options = {
    ...reading,
    links: output === undefined ? ('refuse' as const) : ('follow' as const),
    ...(sameOwner === true && { owners: 'keep' as const }),
    ...(specialBits === true && { specialBits: 'keep' as const }),
  };
  const from = at ?? '';
  const target = output ?? lastName(from) ?? '';
  if (allVersions === true) return await getVersions(image, from, target, options);
  if (layer === undefined) return await getPath(image, from, target, options);
  const index = layerNumber(layer, image.layers);
  if (at !== undefined) return await getLayerPath(image, index, at, target, options);
  if (raw !== true) return await getLayer(image, index, output ?? `layer-${index}`, options);
  if (output === '-') {
    const bytes = await printHeld(layerBytes(image, index, 'verified', reading), out);
    return { files: 1, bytes, skipped: [], xattrs: NONE_LOST, target: 'standard output' };
  }
  return await saveLayer(image, index, output ?? archiveName(index, image.layers), options);
}

/** The last name of a path in an image; none for the root and what leads there. */
function lastName(at: string): string | undefined {
  const name = path.posix.basename(path.posix.resolve('/', at));
  return name === '' ? undefined : name;
}

function archiveName(index: number, layers: readonly Descriptor[]): string {
  return `layer-${index}${archiveSuffix(layers[index])}`;
}

/** How the name of a layer ends on this disk, as it is stored. */
export function archiveSuffix(layer: Descriptor | undefined): string {
  const type = layer?.mediaType ?? '';
  const packed = type.endsWith('zstd') ? '.zst' : type.endsWith('gzip') ? '.gz' : '';
  return `.tar${packed}`;
}
