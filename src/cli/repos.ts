import type { Command } from '@commander-js/extra-typings';
import { formatRepository, type Repository } from '../core/reference.ts';
import { readPlace, type Place } from '../image/archive/open-place.ts';
import { storedRepositories } from '../image/store-source.ts';
import { location, registry } from './arguments.ts';
import { connecting, type Connection } from './connection.ts';
import type { Context } from './context.ts';
import { opening } from './opening.ts';
import { UsageError } from './usage-error.ts';

const EXAMPLES = `
Examples:
  layover repos localhost:5000
  layover repos --user me --password-stdin registry.example.com < password
  layover repos --store /var/lib/layover
`;

/** Whose repositories are listed. */
type Holder = { readonly kind: 'registry'; readonly host: string } | Place;

export function addRepos(program: Command, context: Context): void {
  connecting(program.command('repos'))
    .description(
      'Prints the repositories of a registry, one a line, however many pages they take. Of archives, folders and stores the whole names are printed.',
    )
    .argument('[registry]', 'such as localhost:5000, or a place such as oci:FOLDER', holder)
    .option('--json', 'print a JSON array')
    .addHelpText('after', EXAMPLES)
    .action(async (from, { json, ...connection }) => {
      const names = await repositories(from, connection, context);
      if (json === true) context.output.out(`${JSON.stringify(names)}\n`);
      else context.output.out(names.map((name) => `${name}\n`).join(''));
    });
}

function holder(text: string): Holder {
  if (!/^(?:oci|oci-archive|docker-archive):/.test(text)) {
    return { kind: 'registry', host: registry(text) };
  }
  const place = location(text);
  if (place.kind !== 'registry') return place;
  throw new UsageError(`${text} is neither a registry nor a place`);
}

async function repositories(
  from: Holder | undefined,
  connection: Connection,
  context: Context,
): Promise<readonly string[]> {
  const { store } = connection;
  if (from !== undefined && from.kind !== 'registry') {
    await using place = await readPlace(from);
    return whole(place.images.flatMap(({ names }) => names.map(({ repository }) => repository)));
  }
  if (store !== undefined) {
    const stored = await storedRepositories(store);
    return whole(stored.filter(({ host }) => from === undefined || host === from.host));
  }
  if (from === undefined) throw new UsageError('name a registry, or a store with --store');
  await using client = await opening(connection, context);
  const { items } = await (await client.client.registry(from.host)).repositories();
  return items;
}

function whole(repositories: readonly Repository[]): readonly string[] {
  return [...new Set(repositories.map(formatRepository))].toSorted();
}
