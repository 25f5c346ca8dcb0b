import type { Command } from '@commander-js/extra-typings';
import { parseManifest } from '../core/manifest.ts';
import type { Platform } from '../core/platform.ts';
import { choose } from '../image/choose.ts';
import { diffImages, type Compared, type ImageDiff } from '../image/files/diff.ts';
import type { Opened } from '../image/opened.ts';
import { readSmallBlob } from '../image/small-blob.ts';
import { location } from './arguments.ts';
import { connecting } from './connection.ts';
import type { Context } from './context.ts';
import { diffText } from './diff-text.ts';
import { account } from './image-files.ts';
import { json as formatted } from './json.ts';
import { opening } from './opening.ts';
import { Finding } from './output.ts';
import { platform } from './platform.ts';

const EXAMPLES = `
Examples:
  layover diff alpine:3.19 alpine:3.20
  layover diff --exit-code docker-archive:before.tar oci:./after
  layover diff --json --platform linux/arm64 app:1 app:2 | jq '.files[].path'
`;

export function addDiff(program: Command, context: Context): void {
  connecting(program.command('diff'))
    .description(
      'Prints what sets the second image apart from the first: config, layers, and the files that a container sees. Times of files do not count.',
    )
    .argument('<before>', 'in a registry, a folder or an archive', location)
    .argument('<after>', 'the same', location)
    .addOption(platform("of an index, the image for this platform (default: this machine's)"))
    .option('--exit-code', 'exit with 1 if they differ')
    .option('--json', 'print a JSON object')
    .addHelpText('after', EXAMPLES)
    .action(async (before, after, { json, exitCode, platform, ...connection }) => {
      const signal = context.interruption.listen();
      const counted = account();
      const observe = counted.received;
      await using client = await opening(connection, context, { signal, observe });
      await using old = await client.open(before);
      await using young = await client.open(after);
      const found = await diffImages(
        await comparedOf(old, platform),
        await comparedOf(young, platform),
        { signal, observe: counted.fetched },
      );
      context.output.out(json === true ? formatted(found) : diffText(found));
      if (connection.quiet !== true) context.output.error(`${counted.told()}\n`);
      if (exitCode === true && differ(found)) throw new Finding('the images differ');
    });
}

async function comparedOf(
  { source, repository, at }: Opened,
  platform: Platform | undefined,
): Promise<Compared> {
  const { image } = await choose(source, repository, at, platform);
  const config = parseManifest(await readSmallBlob(source, repository, image.config));
  return { source, repository, manifest: image, config };
}

function differ({ config, layers, files }: ImageDiff): boolean {
  const { added, removed } = layers;
  return [config, added, removed, files].some(({ length }) => length > 0);
}
