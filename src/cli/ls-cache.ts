import type { Command } from '@commander-js/extra-typings';
import { RegistryError } from '../core/errors.ts';
import { formatReference } from '../core/reference.ts';
import type { CachedImage } from '../store/inventory/images.ts';
import { age } from './age.ts';
import { columns } from './columns.ts';
import type { Context } from './context.ts';
import * as flag from './flags.ts';
import { formatBytes } from './format-bytes.ts';

const EXAMPLES = `
Examples:
  layover ls-cache
  layover ls-cache 'docker.io/library/*' --columns image,size,last
  layover ls-cache --json | jq 'select(.size > 1e9)'
`;

type Cell = (image: CachedImage) => string;

const COLUMNS: Readonly<Record<string, Cell>> = {
  image: (image) => nameOf(image),
  platforms: ({ platforms }) => platforms.join(',') || '-',
  size: ({ size }) => formatBytes(size),
  created: ({ created }) => created?.slice(0, 10) ?? '-',
  first: ({ firstPulled }) => ago(firstPulled),
  last: ({ lastPulled }) => ago(lastPulled),
  kept: ({ kept }) => kept ?? '-',
  digest: ({ digest }) => digest,
};

export function addLsCache(program: Command, { actions, output }: Context): void {
  program
    .command('ls-cache')
    .description('Lists the images that are cached. Reads the store, whether a server runs or not.')
    .argument('[pattern...]', 'registry/name:tag; * is any part of a name, ** any parts')
    .addOption(flag.config())
    .addOption(flag.storage())
    .option(
      '--columns <names>',
      `some of ${Object.keys(COLUMNS).join(',')}`,
      'image,platforms,size,created,first,last,kept',
    )
    .option('--all', 'also images of which nothing is stored any more')
    .option('--no-header', 'leave out the names of the columns')
    .option('--json', 'print one JSON object a line, sizes in bytes, times in milliseconds')
    .addHelpText('after', EXAMPLES)
    .action(async (patterns, { json, all, columns: names, header, ...options }) => {
      const chosen = names.split(',').map((name) => [name.trim(), cellOf(name.trim())] as const);
      const known = (await actions()).upkeep.images(flag.choices(options), patterns);
      const images = all === undefined ? stored(known) : known;
      if (json !== undefined) {
        for await (const image of images) output.out(`${JSON.stringify(asJson(image))}\n`);
        return;
      }
      const rows = header ? [chosen.map(([name]) => name.toUpperCase())] : [];
      for await (const image of images) rows.push(chosen.map(([, cell]) => cell(image)));
      const align = chosen.map(([name]) => (name === 'size' ? 'right' : 'left'));
      output.out(columns(rows, align));
    });
}

/** Eviction leaves what is known of a tag where it is. */
async function* stored(images: AsyncIterable<CachedImage>): AsyncGenerator<CachedImage> {
  for await (const image of images) if (image.parts.size > 0) yield image;
}

function cellOf(name: string): Cell {
  const cell = Object.hasOwn(COLUMNS, name) ? COLUMNS[name] : undefined;
  if (cell !== undefined) return cell;
  const known = Object.keys(COLUMNS).join(', ');
  throw new RegistryError('REQUEST_INVALID', `no such column: ${name}; there are ${known}`);
}

function asJson({ repository, parts, ...image }: CachedImage): object {
  const { host, path } = repository;
  const reference = nameOf({ repository, parts, ...image });
  return { image: reference, upstream: host, repository: path, ...image, blobs: parts.size };
}

function nameOf({ repository, tag, digest }: CachedImage): string {
  return formatReference(repository, tag ?? digest);
}

function ago(moment: number | undefined): string {
  return moment === undefined ? '-' : `${age(moment)} ago`;
}
