import type { Command } from '@commander-js/extra-typings';
import { parseManifest } from '../core/manifest.ts';
import { choose } from '../image/choose.ts';
import { readSmallBlob } from '../image/small-blob.ts';
import { location } from './arguments.ts';
import { connecting } from './connection.ts';
import type { Context } from './context.ts';
import { json as formatted } from './json.ts';
import { opening } from './opening.ts';
import { platform } from './platform.ts';
import { soundConfig } from './sound-config.ts';

const EXAMPLES = `
Examples:
  layover config alpine:3.20
  layover config --json --platform linux/arm64 alpine:3.20 | jq .config.Env
  layover config docker-archive:app.tar
`;

export function addConfig(program: Command, context: Context): void {
  connecting(program.command('config'))
    .description(
      'Prints the config of an image, byte for byte: what it runs, for which platform, how it was built.',
    )
    .argument('<image>', 'in a registry, a folder or an archive', location)
    .addOption(platform("of an index, the image for this platform (default: this machine's)"))
    .option('--json', 'print it indented')
    .addHelpText('after', EXAMPLES)
    .action(async (where, { json, platform, ...connection }) => {
      await using client = await opening(connection, context);
      await using opened = await client.open(where);
      const { source, repository, at } = opened;
      const { image } = await choose(source, repository, at, platform);
      const bytes = await readSmallBlob(source, repository, image.config);
      if (json !== true) await context.output.bytes(bytes);
      soundConfig(bytes, image.config);
      if (json === true) context.output.out(formatted(parseManifest(bytes)));
    });
}
