import { LRUCache } from 'lru-cache';
import { opendir, rm } from 'node:fs/promises';
import path from 'node:path';
import { isDigest, type Digest } from '../core/digest.ts';
import { formatRepository, type Repository } from '../core/reference.ts';
import { isCount, isRecord } from '../core/shape.ts';
import { replaceDurably } from './durable.ts';
import { LinkWatch } from './link-watch.ts';
import type { Paths } from './paths.ts';
import { absent, readRecord, replaceFile } from './small-file.ts';

/** That a repository is known to hold content. */
export interface Link {
  /** Bytes. */
  readonly size: number;
  /** Of a manifest, as it is to be answered. */
  readonly mediaType?: string;
  /** Of a manifest: that the same bytes were pushed as a blob as well. */
  readonly blob?: true;
}

/** What each repository may serve: content is shared by all, the right to read it is not. */
export interface LinkStore {
  get(repository: Repository, digest: Digest): Promise<Link | undefined>;
  /** `durable`: settles when the disk has it. Otherwise a loss of power may take it back. */
  set(repository: Repository, digest: Digest, link: Link, safety?: 'durable'): Promise<void>;
  remove(repository: Repository, digest: Digest): Promise<void>;
}

/** Links that can be looked through while others are set. */
export interface WatchableLinks extends LinkStore {
  /** Tells, until disposed, what gets a link: in whatever order the disk is read, nothing is missed. */
  watch(tell: (digest: Digest) => void): Disposable;
}

/** Links remembered in memory; each costs some 300 bytes. */
const REMEMBERED = 20_000;

export function diskLinks(paths: Paths): WatchableLinks {
  const remembered = new LRUCache<string, Link>({ max: REMEMBERED });
  const watch = new LinkWatch();
  const keyOf = (repository: Repository, digest: Digest): string =>
    `${formatRepository(repository)}@${digest}`;
  return {
    async get(repository, digest) {
      const key = keyOf(repository, digest);
      const known = remembered.get(key);
      if (known !== undefined) return known;
      const link = await readRecord(paths.link(repository, digest), parseLink);
      if (link !== undefined) remembered.set(key, link);
      return link;
    },
    async set(repository, digest, link, safety) {
      using _linking = watch.linking(digest);
      remembered.set(keyOf(repository, digest), link);
      const replace = safety === 'durable' ? replaceDurably : replaceFile;
      await replace(paths.link(repository, digest), JSON.stringify(link), paths.journal);
    },
    async remove(repository, digest) {
      remembered.delete(keyOf(repository, digest));
      await rm(paths.link(repository, digest), { force: true });
    },
    watch: (tell) => watch.watch(tell),
  };
}

/** Every digest that the repository has a link to, in no order. */
export async function* linkedDigests(paths: Paths, repository: Repository): AsyncGenerator<Digest> {
  for (const algorithm of ['sha256', 'sha512']) {
    const folder = path.join(paths.links(repository), algorithm);
    for await (const { name } of (await absent(opendir(folder))) ?? []) {
      const digest = `${algorithm}:${name}`;
      if (isDigest(digest)) yield digest;
    }
  }
}

export function parseLink(value: unknown): Link | undefined {
  if (!isRecord(value) || !isCount(value['size'])) return undefined;
  const { size, mediaType, blob } = value;
  return {
    size,
    ...(typeof mediaType === 'string' && { mediaType }),
    ...(blob === true && { blob }),
  };
}
