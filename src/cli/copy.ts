import type { Command } from '@commander-js/extra-typings';
import { formatReference } from '../core/reference.ts';
import type { Selection } from '../image/copy/plan.ts';
import { formatLocation, type Location } from '../image/location.ts';
import { pull } from '../image/pull.ts';
import { push } from '../image/push.ts';
import { location } from './arguments.ts';
import { connecting } from './connection.ts';
import type { Context } from './context.ts';
import { copiedJson, placedAs, readFrom } from './copied.ts';
import { ends } from './ends.ts';
import { json as formatted } from './json.ts';
import { registryOf } from './one-registry.ts';
import { opening } from './opening.ts';
import { platform } from './platform.ts';
import { transfers } from './transfers.ts';
import { notBoth } from './standard-output.ts';
import { UsageError } from './usage-error.ts';

const EXAMPLES = `
Examples:
  layover copy alpine:3.20 localhost:5000/library/alpine:3.20
  layover copy --referrers ghcr.io/owner/app:1.2 oci:./folder:1.2
  layover copy --platform linux/arm64 oci:./folder:1.2 docker-archive:app.tar:app:1.2
  layover copy --store /var/lib/layover alpine:3.20 localhost:5000/library/alpine:3.20
  layover copy --to-user me --to-password-stdin alpine:3.20 ghcr.io/me/alpine:3.20 < password
`;

const ENDS = ends(
  { name: 'from', what: 'where it comes from', role: 'read' },
  { name: 'to', what: 'where it goes', role: 'written' },
);

export function addCopy(program: Command, context: Context): void {
  ENDS.add(connecting(program.command('copy')))
    .description(
      "Takes an image from anywhere to anywhere, digests unchanged: registries, folders, archives, a mirror's store. An index goes with all its platforms, except into docker's archives.",
    )
    .argument('<from>', 'the image', location)
    .argument('<to>', 'where it goes, with the name it has there', location)
    .addOption(platform('of an index, only the image for this platform'))
    .option('--referrers', 'signatures and what else refers to the image, too')
    .option('--json', 'print what was copied, and where its bytes came from')
    .addHelpText('after', EXAMPLES)
    .action(async (from, to, { json, referrers, platform, ...connection }) => {
      if (referrers === true && to.kind === 'docker-archive') {
        throw new UsageError("docker's archives have no place for --referrers");
      }
      const { quiet } = connection;
      const signal = context.interruption.listen();
      const asked = connection.store === undefined ? registryOf(from) : undefined;
      const registries = [asked, registryOf(to)] as const;
      const [reading, writing] = await ENDS.connections(connection, registries, context);
      await using client = await opening(reading, context, { signal });
      await using opened = await client.open(from);
      const { source, repository, at } = opened;
      const name = { repository, at };
      if (json === true) notBoth(to);
      const stdout = (chunk: Uint8Array) => context.output.bytes(chunk);
      await using stack = new AsyncDisposableStack();
      const target =
        writing === reading
          ? client
          : stack.use(await opening({ ...writing, cache: false }, context, { signal }));
      await using into = await target.client.write(to, { name, stdout, signal });
      const named = { repository: into.repository, at: into.at };
      const names = [formatReference(named.repository, named.at)];
      using shown = transfers({ output: context.output, quiet, names });
      const copied = await (to.kind === 'registry' ? push : pull)({
        images: [{ source, repository, at, to: named }],
        into,
        selection: selected(to, platform),
        referrers: referrers === true ? 'copied' : 'left-out',
        observe: shown.observe,
        signal,
      });
      shown[Symbol.dispose]();
      const place = formatLocation(to);
      if (quiet !== true) {
        context.output.error(`copied to ${place}; ${placedAs(copied)}; ${readFrom(copied)}\n`);
      }
      if (json === true) context.output.out(formatted(copiedJson(copied, names, place)));
    });
}

function selected(
  to: Location,
  platform: Extract<Selection, { kind: 'one' }>['platform'],
): Selection {
  const one = platform !== undefined || to.kind === 'docker-archive';
  return one ? { kind: 'one', platform } : { kind: 'all' };
}
