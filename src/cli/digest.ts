import type { Command } from '@commander-js/extra-typings';
import { location } from './arguments.ts';
import { connecting } from './connection.ts';
import type { Context } from './context.ts';
import { manifestAt } from './image.ts';
import { json as formatted } from './json.ts';
import { opening } from './opening.ts';
import { platform } from './platform.ts';

const EXAMPLES = `
Examples:
  layover digest alpine:3.20
  layover digest --platform linux/arm64 alpine:3.20
  layover digest --json oci:./folder:1.2
`;

export function addDigest(program: Command, context: Context): void {
  connecting(program.command('digest'))
    .description(
      'Prints the digest that a name stands for, of an index as of an image. A registry is asked by HEAD, which costs nothing of its limits.',
    )
    .argument('<image>', 'in a registry, a folder or an archive', location)
    .addOption(platform('of an index, the image for this platform'))
    .option('--json', 'print a descriptor: media type, digest, size')
    .addHelpText('after', EXAMPLES)
    .action(async (image, { json, platform, ...connection }) => {
      await using client = await opening(connection, context);
      await using opened = await client.open(image);
      const { descriptor } =
        platform === undefined
          ? await opened.source.resolve(opened.repository, opened.at)
          : await manifestAt(opened, platform);
      context.output.out(json === true ? formatted(descriptor) : `${descriptor.digest}\n`);
    });
}
