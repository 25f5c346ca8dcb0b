import type { Command } from '@commander-js/extra-typings';
import { choose } from '../image/choose.ts';
import { buildSteps, parseImageConfig, type BuildStep } from '../image/image-config.ts';
import { readSmallBlob } from '../image/small-blob.ts';
import { printableName } from '../layer/name.ts';
import { location } from './arguments.ts';
import { columns } from './columns.ts';
import { connecting } from './connection.ts';
import type { Context } from './context.ts';
import { formatBytes } from './format-bytes.ts';
import { json as formatted } from './json.ts';
import { opening } from './opening.ts';
import { platform } from './platform.ts';
import { soundConfig } from './sound-config.ts';

const EXAMPLES = `
Examples:
  layover history alpine:3.20
  layover history --platform linux/arm64 ghcr.io/owner/app:1.2
  layover history --json docker-archive:app.tar | jq '.[].layer.size'
`;

export function addHistory(program: Command, context: Context): void {
  connecting(program.command('history'))
    .description(
      'Prints the steps that an image was built by, the oldest first, each with the layer that it made and the size of that as it is fetched.',
    )
    .argument('<image>', 'in a registry, a folder or an archive', location)
    .addOption(platform("of an index, the image for this platform (default: this machine's)"))
    .option('--json', 'print a JSON array, sizes in bytes')
    .addHelpText('after', EXAMPLES)
    .action(async (where, { json, platform, ...connection }) => {
      await using client = await opening(connection, context);
      await using opened = await client.open(where);
      const { source, repository, at } = opened;
      const { image } = await choose(source, repository, at, platform);
      const config = await readSmallBlob(source, repository, image.config);
      const steps = buildSteps(parseImageConfig(config), image.layers);
      context.output.out(json === true ? formatted(steps.map(asJson)) : stepsTable(steps));
      soundConfig(config, image.config);
      if (connection.quiet === true) return;
      const size = image.layers.reduce((sum, layer) => sum + layer.size, 0);
      const { length } = image.layers;
      context.output.error(
        `${length} ${length === 1 ? 'layer' : 'layers'}, ${formatBytes(size)}\n`,
      );
    });
}

function asJson({ layer, ...step }: BuildStep): object {
  if (layer === undefined) return step;
  const { index, descriptor, diffId } = layer;
  return { ...step, layer: { index, ...descriptor, ...(diffId !== undefined && { diffId }) } };
}

/** The steps as a table. @param base the number of the lowest layer */
export function stepsTable(steps: readonly BuildStep[], base: 0 | 1 = 0): string {
  const rows = steps.map(({ layer, created, createdBy, comment }) => [
    layer === undefined ? '-' : `${layer.index + base}`,
    layer === undefined ? '-' : formatBytes(layer.descriptor.size),
    created?.slice(0, 'YYYY-MM-DD'.length) ?? '-',
    commandOf(createdBy ?? comment ?? ''),
  ]);
  return columns(
    [['LAYER', 'SIZE', 'CREATED', 'STEP'], ...rows].map((row) => row.map(printableName)),
    ['right', 'right'],
  );
}

/** Without what docker's first builder put in front of everything. */
function commandOf(createdBy: string): string {
  return createdBy
    .replace(/^\/bin\/sh -c #\(nop\)\s+/, '')
    .replaceAll(/\s+/g, ' ')
    .trim();
}
