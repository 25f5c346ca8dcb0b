import type { Command } from '@commander-js/extra-typings';
import { formatRepository, parsePath, parseTag, type Repository } from '../core/reference.ts';
import { browseImage, forgiving, type Onward, type Walk } from './browse-image.ts';
import { browseTarget, type BrowseTarget } from './browse-target.ts';
import { connecting } from './connection.ts';
import type { Context } from './context.ts';
import { account } from './image-files.ts';
import { askItem } from './menu.ts';
import { opening, type Opening } from './opening.ts';
import { platform } from './platform.ts';
import { UsageError } from './usage-error.ts';

const EXAMPLES = `
Examples:
  layover browse http://localhost:5000/
  layover browse ghcr.io/owner/app
  layover browse docker-archive:app.tar
  printf '%s\\n' p 1-2 q | layover browse alpine:3.20
`;

export function addBrowse(program: Command, context: Context): void {
  connecting(program.command('browse'))
    .description(
      'Walks through a registry: repositories, tags, platforms, config and build history, layers; looks into layers, takes files out of them, saves them. What is typed may come from a file; then a failure is the end, and so is an answer that is no choice.',
    )
    .argument('<where>', 'a registry, its URL, a repository, an image, a place', browseTarget)
    .addOption(platform('of indexes, the images for this platform (default: ask)'))
    .addHelpText('after', EXAMPLES)
    .action(async (target, { platform, ...flags }) => {
      const { plainHttp = flags.plainHttp } = target;
      const connection = { ...flags, ...(plainHttp !== undefined && { plainHttp }) };
      const signal = context.interruption.listen();
      const counted = account();
      await using client = await opening(connection, context, {
        signal,
        observe: counted.received,
      });
      const reading = { signal, observe: counted.fetched };
      await browse(client, target, { context, platform, reading }, connection.store);
      if (connection.quiet !== true) context.output.error(`${counted.told()}\n`);
    });
}

async function browse(
  client: Opening,
  target: BrowseTarget,
  walk: Walk,
  store: string | undefined,
): Promise<Onward> {
  switch (target.kind) {
    case 'registry':
      if (store === undefined) return await browseRegistry(client, target.host, walk);
      throw new UsageError('of a store, name a repository or an image: repos --store lists them');
    case 'repository':
      return await browseRepository(client, target.repository, walk);
    case 'image': {
      await using opened = await client.open(target.location);
      return await browseImage(opened, walk);
    }
  }
}

async function browseRegistry(client: Opening, host: string, walk: Walk): Promise<Onward> {
  const { context } = walk;
  const { items } = await (await client.client.registry(host)).repositories();
  for (;;) {
    context.output.out(`\nRepositories of ${host}: ${items.length}\n`);
    const answer = await askItem({ what: 'repository', items }, context);
    if (answer.kind !== 'answer') return answer.kind;
    const next = await forgiving(async () => {
      const repository = { host, path: parsePath(items[answer.value] ?? '') };
      return await browseRepository(client, repository, walk);
    }, context);
    if (next === 'quit') return 'quit';
  }
}

async function browseRepository(
  client: Opening,
  repository: Repository,
  walk: Walk,
): Promise<Onward> {
  const { context } = walk;
  const at = (tag: string) =>
    client.open({ kind: 'registry', reference: { repository, at: parseTag(tag) } });
  await using latest = await at('latest');
  const { items } = await latest.source.tags(repository);
  for (;;) {
    context.output.out(`\nTags of ${formatRepository(repository)}: ${items.length}\n`);
    const answer = await askItem({ what: 'tag', items }, context);
    if (answer.kind !== 'answer') return answer.kind;
    const next = await forgiving(async () => {
      await using opened = await at(items[answer.value] ?? '');
      return await browseImage(opened, walk);
    }, context);
    if (next === 'quit') return 'quit';
  }
}
