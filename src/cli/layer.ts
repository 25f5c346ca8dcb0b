import type { Command } from '@commander-js/extra-typings';
import { choose } from '../image/choose.ts';
import { saveLayer } from '../image/files/get.ts';
import type { FetchedEvent } from '../image/files/image-layers.ts';
import { layerBytes } from '../image/files/layer-bytes.ts';
import { location } from './arguments.ts';
import { connecting } from './connection.ts';
import type { Context } from './context.ts';
import { layerNumber } from './layer-number.ts';
import { opening } from './opening.ts';
import { platform } from './platform.ts';
import { progress } from './progress.ts';
import { shortDigest } from './short-digest.ts';
import { printHeld } from './standard-output.ts';

const EXAMPLES = `
Examples:
  layover layer alpine:3.20 0 | tar -tz
  layover layer -o top.tar.gz ghcr.io/owner/app:1.2 -1
  layover layer docker-archive:app.tar sha256:4abcf206
`;

export function addLayer(program: Command, context: Context): void {
  connecting(program.command('layer'))
    .description(
      'Prints a layer as it is stored, compressed or not. Its digest is checked: of a layer that is wrong the last bytes are not printed, and no file is left.',
    )
    .argument('<image>', 'in a registry, a folder or an archive', location)
    .argument(
      '<layer>',
      'its number from 0, the base, or from -1, the top; or its digest, or how that begins',
    )
    .addOption(platform("of an index, the image for this platform (default: this machine's)"))
    .option(
      '-o, --output <file>',
      'write it to this file, at once when it is whole; - is standard output',
    )
    .addHelpText('after', EXAMPLES)
    .action(async (where, which, { output: file, platform, ...connection }) => {
      const signal = context.interruption.listen();
      await using client = await opening(connection, context, { signal });
      await using opened = await client.open(where);
      const { source, repository, at } = opened;
      const { layers } = (await choose(source, repository, at, platform)).image;
      const index = layerNumber(which, layers);
      const image = { source, repository, layers };
      using shown = connection.quiet === true ? undefined : progress({ output: context.output });
      const layer = layers[index];
      const bar = layer && shown?.begin(shortDigest(layer.digest), layer.size);
      const observe = ({ bytes }: FetchedEvent): void => bar?.add(bytes);
      if (file === undefined || file === '-') {
        await printHeld(layerBytes(image, index, 'verified', { observe, signal }), context.output);
        bar?.end('printed');
      } else {
        await saveLayer(image, index, file, { observe, signal });
        bar?.end(`saved as ${file}`);
      }
    });
}
