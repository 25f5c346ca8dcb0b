import type { Dirent } from 'node:fs';
import { opendir, readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import type { Digest } from '../core/digest.ts';
import { HOSTED } from '../core/hosted.ts';
import { formatRepository, isHost, isTag, type Repository } from '../core/reference.ts';
import { linkedDigests, parseLink } from './links.ts';
import type { Paths } from './paths.ts';
import { absent, readRecord } from './small-file.ts';

/** Every repository that something is kept of, those of one host or of all, sorted by name. */
export async function repositories(paths: Paths, host?: string): Promise<readonly Repository[]> {
  const hosts = host === undefined ? await folders(paths.repositories) : [host];
  const found: Repository[] = [];
  for (const name of hosts.filter((name) => isHost(name) || name === HOSTED))
    await walk(paths, name, '', found);
  const keyed = found.map((repository) => ({ repository, key: formatRepository(repository) }));
  return keyed.toSorted((a, b) => (a.key < b.key ? -1 : 1)).map(({ repository }) => repository);
}

/**
 * Those of them that have something to pull: a tag, or a manifest that has none. Content on its way
 * to its first manifest, and what a crash has left of a repository, are nothing to show.
 */
export async function listedRepositories(
  paths: Paths,
  host?: string,
): Promise<readonly Repository[]> {
  const listed: Repository[] = [];
  for (const one of await repositories(paths, host)) {
    if (await holdsManifest(paths, one)) listed.push(one);
  }
  return listed;
}

/** Whether any repository has a link to the content, by a look at each of them. */
export async function isLinked(paths: Paths, digest: Digest): Promise<boolean> {
  for (const repository of await repositories(paths)) {
    if ((await absent(stat(paths.link(repository, digest)))) !== undefined) return true;
  }
  return false;
}

async function holdsManifest(paths: Paths, repository: Repository): Promise<boolean> {
  for await (const { name } of (await absent(opendir(paths.tags(repository)))) ?? []) {
    if (isTag(name)) return true;
  }
  for await (const digest of linkedDigests(paths, repository)) {
    const link = await readRecord(paths.link(repository, digest), parseLink);
    if (link?.mediaType !== undefined) return true;
  }
  return false;
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
