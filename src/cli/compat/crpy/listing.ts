import { endpoints } from '../../../image/endpoints.ts';
import { chosenOf } from '../chosen.ts';
import { richTable } from '../rich-table.ts';
import { platformNamed } from './platforms.ts';
import { parseCrpy } from './reference.ts';
import { imageOf, session, type Command } from './session.ts';

/** `crpy repositories URL`: all of them, one a line. */
export async function crpyRepositories(command: Command): Promise<void> {
  const target = parseCrpy(command.values.get('url') ?? '', 'registry');
  await using client = await session(target, command);
  const { items } = await (await client.client.registry(target.host)).repositories();
  command.context.output.out(items.map((name) => `${name}\n`).join(''));
}

/** `crpy tags URL`: all of them, one a line. */
export async function crpyTags(command: Command): Promise<void> {
  const target = parseCrpy(command.values.get('url') ?? '');
  const reference = imageOf(target, 'Repository must be provided to list tags!');
  await using client = await session(target, command);
  const { source } = await client.open({ kind: 'registry', reference });
  const { items } = await source.tags(reference.repository);
  command.context.output.out(items.map((tag) => `${tag}\n`).join(''));
}

/** `crpy delete URL`: the image, and so every tag that it has. Prints what the registry answers: nothing, as bytes. */
export async function crpyDelete(command: Command): Promise<void> {
  const target = parseCrpy(command.values.get('url') ?? '');
  const { repository, at } = imageOf(target, 'Repository must be provided to delete a tag!');
  await using client = await session(target, command);
  const registry = await client.client.registry(target.host);
  const { descriptor } = await registry.resolve(repository, at);
  await registry.removeManifest(repository, descriptor.digest);
  command.context.output.out("b''\n");
}

/** `crpy resolve URL`: a table of what a pull would touch. */
export async function crpyResolve(command: Command): Promise<void> {
  const { values, context } = command;
  const url = values.get('url') ?? '';
  const target = parseCrpy(url);
  const reference = imageOf(target, 'Repository must be provided to resolve!');
  const { repository, at } = reference;
  const family = values.has('ipv4') ? 4 : values.has('ipv6') ? 6 : undefined;
  const architecture = values.get('architecture');
  const asked = architecture === undefined ? undefined : platformNamed(architecture);
  await using client = await session(target, command, { told: 'first' });
  const registry = await client.client.registry(target.host);
  const first = await chosenOf(registry, repository, at, { kind: 'first' });
  const platform = asked ?? (first.index === undefined ? undefined : first.platform);
  const logins: (readonly string[])[] = [];
  const content: (readonly string[])[] = [];
  for await (const { role, by, addresses, url } of endpoints(registry, reference, platform)) {
    const shown = addresses.filter((one) => family === undefined || one.family === family);
    const unique = [...new Set(shown.map(({ address }) => address))].toSorted();
    const row = [by === 'redirect' ? `${role} (redirect)` : role, unique.join(', '), url];
    (role === 'auth' ? logins : content).push(row);
  }
  const rows = [...logins, ...content];
  const head = ['Role', 'IPs', 'URL'];
  context.output.out(richTable({ title: `Endpoints for ${url}`, head, rows, lines: 'between' }));
}
