import type { Command } from '@commander-js/extra-typings';
import { entriesOf } from '../core/image-index.ts';
import { isIndexType, parseImageManifest } from '../core/image-manifest.ts';
import { parseManifest, type Manifest } from '../core/manifest.ts';
import { formatPlatform } from '../core/platform.ts';
import { printableName } from '../layer/name.ts';
import { location } from './arguments.ts';
import { columns } from './columns.ts';
import { connecting } from './connection.ts';
import type { Context } from './context.ts';
import { formatBytes } from './format-bytes.ts';
import { manifestAt } from './image.ts';
import { json as formatted } from './json.ts';
import { opening } from './opening.ts';
import { platform } from './platform.ts';

const EXAMPLES = `
Examples:
  layover manifest alpine:3.20 | sha256sum
  layover manifest --table alpine:3.20
  layover manifest --json --platform linux/arm64 alpine:3.20
`;

export function addManifest(program: Command, context: Context): void {
  connecting(program.command('manifest'))
    .description(
      'Prints the manifest or index that a name stands for, byte for byte, so that its digest can be checked.',
    )
    .argument('<image>', 'in a registry, a folder or an archive', location)
    .addOption(platform('of an index, the manifest of the image for this platform'))
    .option('--json', 'print it indented')
    .option('--table', 'print what it lists: platforms of an index, config and layers of an image')
    .addHelpText('after', EXAMPLES)
    .action(async (image, { json, table, platform, ...connection }) => {
      await using client = await opening(connection, context);
      await using opened = await client.open(image);
      const manifest = await manifestAt(opened, platform);
      const { output } = context;
      if (table === true) output.out(asTable(manifest));
      else if (json === true) output.out(formatted(parseManifest(manifest.bytes)));
      else await output.bytes(manifest.bytes);
    });
}

function asTable({ bytes, descriptor }: Manifest): string {
  const align = ['left', 'left', 'right', 'left'] as const;
  if (isIndexType(descriptor.mediaType)) {
    const rows = entriesOf(bytes).map(({ platform, digest, size, mediaType }) => [
      platform === undefined ? '-' : formatPlatform(platform),
      digest,
      formatBytes(size),
      mediaType,
    ]);
    return shown([['PLATFORM', 'DIGEST', 'SIZE', 'TYPE'], ...rows], align);
  }
  const { config, layers } = parseImageManifest(bytes);
  const parts = [
    ['config', config] as const,
    ...layers.map((layer, n) => [`${n}`, layer] as const),
  ];
  const rows = parts.map(([part, { digest, size, mediaType }]) => [
    part,
    digest,
    formatBytes(size),
    mediaType,
  ]);
  return shown([['LAYER', 'DIGEST', 'SIZE', 'TYPE'], ...rows], align);
}

function shown(rows: readonly (readonly string[])[], align: readonly ('left' | 'right')[]): string {
  return columns(
    rows.map((row) => row.map(printableName)),
    align,
  );
}
