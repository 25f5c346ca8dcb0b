import type { Command } from '@commander-js/extra-typings';
import { atDigest } from '../core/reference.ts';
import type { Location } from '../image/location.ts';
import { location } from './arguments.ts';
import { connecting } from './connection.ts';
import type { Context } from './context.ts';
import { opening, type Opening } from './opening.ts';

const EXAMPLES = `
Examples:
  layover tags quay.io/prometheus/node-exporter
  layover tags --ns docker.io localhost:8080/library/alpine
  layover tags oci:./folder
`;

export function addTags(program: Command, context: Context): void {
  connecting(program.command('tags'))
    .description('Prints the tags of a repository, one a line, however many pages they take.')
    .argument('<repository>', 'such as docker.io/library/alpine, or a place: oci:FOLDER', location)
    .option('--json', 'print a JSON array')
    .addHelpText('after', EXAMPLES)
    .action(async (where, { json, ...connection }) => {
      // Nothing of it is kept between runs.
      await using client = await opening({ ...connection, cache: false }, context);
      const tags = await tagsOf(client, where);
      if (json === true) context.output.out(`${JSON.stringify(tags)}\n`);
      else context.output.out(tags.map((tag) => `${tag}\n`).join(''));
    });
}

/** Of a place that is named alone: those of every image in it. */
async function tagsOf(client: Opening, where: Location): Promise<readonly string[]> {
  if (where.kind === 'registry' || where.image !== undefined) {
    await using opened = await client.open(where);
    return (await opened.source.tags(opened.repository)).items;
  }
  const { readPlace } = await import('../image/archive/open-place.ts');
  await using place = await readPlace(where);
  const names = place.images.flatMap((image) => image.names.map(({ at }) => at));
  return [...new Set(names.filter((at) => !atDigest(at)))].toSorted();
}
