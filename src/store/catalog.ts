import type { Dirent } from 'node:fs';
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { HOSTED } from '../core/hosted.ts';
import { formatRepository, isHost, type Repository } from '../core/reference.ts';
import type { Paths } from './paths.ts';
import { absent } from './small-file.ts';

/** Every repository that something is kept of, those of one host or of all, sorted by name. */
export async function repositories(paths: Paths, host?: string): Promise<readonly Repository[]> {
  const hosts = host === undefined ? await folders(paths.repositories) : [host];
  const found: Repository[] = [];
  for (const name of hosts.filter((name) => isHost(name) || name === HOSTED))
    await walk(paths, name, '', found);
  const keyed = found.map((repository) => ({ repository, key: formatRepository(repository) }));
  return keyed.toSorted((a, b) => (a.key < b.key ? -1 : 1)).map(({ repository }) => repository);
}

async function walk(paths: Paths, host: string, name: string, found: Repository[]): Promise<void> {
  const inside = await folders(path.join(paths.repositories, host, name));
  if (inside.includes('_tags') || inside.includes('_links')) found.push({ host, path: name });
  for (const folder of inside.filter((folder) => !folder.startsWith('_'))) {
    await walk(paths, host, name === '' ? folder : `${name}/${folder}`, found);
  }
}

async function folders(name: string): Promise<readonly string[]> {
  const entries: Dirent[] = (await absent(readdir(name, { withFileTypes: true }))) ?? [];
  return entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
}
