import type { Command } from '@commander-js/extra-typings';
import { atDigest, formatReference, formatRepository, type Reference } from '../core/reference.ts';
import type { Upstream } from '../upstream/upstream.ts';
import { wholeReference } from './arguments.ts';
import { connecting } from './connection.ts';
import type { Context } from './context.ts';
import { opening } from './opening.ts';
import { UsageError } from './usage-error.ts';

const EXAMPLES = `
Examples:
  layover delete localhost:5000/team/app:1.2
  layover delete --tag localhost:5000/team/app:1.2 localhost:5000/team/app:1.1
  layover delete localhost:5000/team/app@sha256:…
`;

export function addDelete(program: Command, context: Context): void {
  connecting(program.command('delete'))
    .description(
      'Deletes images from a registry, without asking: the manifest or index that is named, and with it every tag it has. Layers stay until the registry collects its garbage.',
    )
    .argument('<images...>', 'with their tags or digests', wholeReferences)
    .option('--tag', 'delete the tag alone; other tags and the manifest stay')
    .addHelpText('after', EXAMPLES)
    .action(async (images, { tag, ...connection }) => {
      if (connection.store !== undefined) {
        throw new UsageError('--store is read alone; "layover prune" removes what a mirror stores');
      }
      await using client = await opening(connection, context);
      for (const image of images) {
        const registry = await client.client.registry(image.repository.host);
        const deleted =
          tag === true ? await withoutTag(registry, image) : await gone(registry, image);
        if (connection.quiet !== true) context.output.error(`deleted ${deleted}\n`);
      }
    });
}

const wholeReferences = (text: string, before: readonly Reference[] = []): readonly Reference[] => [
  ...before,
  wholeReference(text),
];

async function withoutTag(registry: Upstream, { repository, at }: Reference): Promise<string> {
  const name = formatReference(repository, at);
  if (atDigest(at)) throw new UsageError(`${name} names no tag; without --tag its manifest goes`);
  await registry.removeTag(repository, at, 'nothing');
  return `the tag ${name}`;
}

async function gone(registry: Upstream, { repository, at }: Reference): Promise<string> {
  const digest = atDigest(at) ? at : (await registry.resolve(repository, at)).descriptor.digest;
  await registry.removeManifest(repository, digest);
  const named = atDigest(at) ? '' : `, which was ${formatReference(repository, at)}`;
  return `${formatRepository(repository)}@${digest}${named}, and its tags`;
}
