import type { Command } from '@commander-js/extra-typings';
import { formatReference, type Reference } from '../core/reference.ts';
import { openPlace, readPlace, type Place } from '../image/archive/open-place.ts';
import type { Passage } from '../image/copy/copy.ts';
import { push } from '../image/push.ts';
import { reference } from './arguments.ts';
import { connecting } from './connection.ts';
import type { Context } from './context.ts';
import { copiedJson, placedAs } from './copied.ts';
import { json as formatted } from './json.ts';
import { opening } from './opening.ts';
import { platform } from './platform.ts';
import { byTheirNames, pushSource } from './push-source.ts';
import { transfers } from './transfers.ts';

const EXAMPLES = `
Examples:
  layover push app.tar localhost:5000/team/app:1.2
  layover push oci:./folder:1.2 ghcr.io/owner/app:1.2
  layover push --platform linux/arm64 oci-archive:app.tar localhost:5000/app:arm64
  layover push all.tar
`;

export function addPush(program: Command, context: Context): void {
  connecting(program.command('push'))
    .description(
      'Takes images of an archive or a folder to a registry: docker save archives, those of crane, imgpull and crpy, OCI layouts and archives. An index goes with all its platforms. What is there is not sent.',
    )
    .argument(
      '<from>',
      'a file or folder, or one image of it: docker-archive:FILE:NAME',
      pushSource,
    )
    .argument('[to]', 'what it is to be called; left out: every image, by its own names', reference)
    .addOption(platform('of an index, only the image for this platform'))
    .option('--referrers', 'signatures and what else refers to the images, too')
    .option('--json', 'print what was pushed')
    .addHelpText('after', EXAMPLES)
    .action(async (from, to, { json, referrers, platform, ...connection }) => {
      const { quiet } = connection;
      const signal = context.interruption.listen();
      await using client = await opening(connection, context, { signal });
      await using stack = new AsyncDisposableStack();
      const images = await passages(from, to, stack);
      const [first] = images;
      if (first === undefined) return;
      const into = stack.use(await client.client.write({ kind: 'registry', reference: first.to }));
      const names = images.map(({ to }) => formatReference(to.repository, to.at));
      using shown = transfers({ output: context.output, quiet, names });
      const copied = await push({
        images,
        into,
        ...(platform && { selection: { kind: 'one', platform } }),
        referrers: referrers === true ? 'copied' : 'left-out',
        observe: shown.observe,
        signal,
      });
      shown[Symbol.dispose]();
      for (const [index, { descriptor }] of copied.images.entries()) {
        if (quiet !== true) context.output.error(`pushed ${names[index]}: ${descriptor.digest}\n`);
      }
      if (quiet !== true) context.output.error(`${placedAs(copied)}\n`);
      const target = first.to.repository.host;
      if (json === true) context.output.out(formatted(copiedJson(copied, names, target)));
    });
}

async function passages(
  from: Place,
  to: Reference | undefined,
  stack: AsyncDisposableStack,
): Promise<readonly Passage[]> {
  if (to !== undefined || from.image !== undefined) {
    const { source, repository, at } = stack.use(await openPlace(from));
    return [{ source, repository, at, to: to ?? { repository, at } }];
  }
  const { source, images } = stack.use(await readPlace(from));
  return byTheirNames(images).map(({ from: { repository, at }, to }) => {
    return { source, repository, at, to };
  });
}
