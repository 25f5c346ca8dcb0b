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
import { ends } from './ends.ts';
import { account } from './image-files.ts';
import { json as formatted } from './json.ts';
import { registryOf } from './one-registry.ts';
import { opening } from './opening.ts';
import { Finding } from './output.ts';
import { platform } from './platform.ts';

const EXAMPLES = `
Examples:
  layover diff alpine:3.19 alpine:3.20
  layover diff --exit-code docker-archive:before.tar oci:./after
  layover diff --json --platform linux/arm64 app:1 app:2 | jq '.files[].path'
`;

const ENDS = ends(
  { name: 'before', what: 'where the first image is', role: 'read' },
  { name: 'after', what: 'where the second image is', role: 'read' },
);

export function addDiff(program: Command, context: Context): void {
  ENDS.add(connecting(program.command('diff')))
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
      const registries = connection.store === undefined ? [before, after].map(registryOf) : [];
      const [one, other] = await ENDS.connections(
        connection,
        [registries[0], registries[1]],
        context,
      );
      await using client = await opening(one, context, { signal, observe });
      await using stack = new AsyncDisposableStack();
      const second =
        other === one ? client : stack.use(await opening(other, context, { signal, observe }));
      await using old = await client.open(before);
      await using young = await second.open(after);
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
