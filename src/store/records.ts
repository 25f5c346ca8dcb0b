import { LRUCache } from 'lru-cache';
import { opendir, readdir, rm, stat, utimes } from 'node:fs/promises';
import path from 'node:path';
import { parseDescriptor, type Descriptor } from '../core/descriptor.ts';
import { isDigest, type Digest } from '../core/digest.ts';
import { HOSTED } from '../core/hosted.ts';
import { isTag, type Repository, type Tag } from '../core/reference.ts';
import { prune, pruneBelow, syncNearest } from './durable.ts';
import { Journal, type Change } from './journal.ts';
import { linkedDigests, parseLink, type Link } from './links.ts';
import type { Paths } from './paths.ts';
import { absent, readRecord } from './small-file.ts';
import { parseTagRecord, type TagRecord } from './tags.ts';

/** Records remembered in memory; each costs from 300 bytes to a kilobyte. */
const REMEMBERED = 20_000;

/**
 * What is known of the repositories that live here: tags, links, referrers. Unlike what a mirror
 * notes down, this cannot be had again, so changes go together or not at all, and down to the disk.
 */
export class Records {
  readonly paths: Paths;
  readonly #journal: Journal;
  readonly #links = new LRUCache<string, Link>({ max: REMEMBERED });
  readonly #tags = new LRUCache<string, TagRecord>({ max: REMEMBERED });
  /** Grows with every change: what was read before one must not be remembered after it. */
  #changes = 0;
  /** Folders that have lost a file of which the disk need not know yet. */
  readonly #unsettled = new Set<string>();

  constructor(paths: Paths) {
    this.paths = paths;
    this.#journal = new Journal(paths);
  }

  /** Finishes what a crash has interrupted. Comes before anything else. */
  async recover(): Promise<void> {
    await this.#journal.recover();
  }

  link(repository: Repository, digest: Digest): Promise<Link | undefined> {
    return this.#read(this.#links, this.paths.link(repository, digest), parseLink);
  }

  tag(repository: Repository, tag: Tag): Promise<TagRecord | undefined> {
    return this.#read(this.#tags, this.paths.tag(repository, tag), parseTagRecord);
  }

  /** Sorted; `undefined` where there is no such repository: it has neither a tag nor a link. */
  async tags(repository: Repository): Promise<readonly Tag[] | undefined> {
    const names = (await absent(readdir(this.paths.tags(repository)))) ?? [];
    const tags = names.filter((name) => isTag(name)).toSorted();
    if (tags.length > 0) return tags;
    for await (const _digest of this.links(repository)) return tags;
    return undefined;
  }

  /** Every digest that the repository has a link to, in no order. */
  links(repository: Repository): AsyncGenerator<Digest> {
    return linkedDigests(this.paths, repository);
  }

  /** What refers to the manifest, sorted by digest. */
  async referrers(repository: Repository, subject: Digest): Promise<readonly Descriptor[]> {
    const folder = this.paths.referrers(repository, subject);
    const found: Descriptor[] = [];
    for (const name of ((await absent(readdir(folder))) ?? []).toSorted()) {
      if (name.startsWith('.')) continue;
      const descriptor = await readRecord(path.join(folder, name), parseDescriptor);
      if (descriptor !== undefined) found.push(descriptor);
    }
    return found;
  }

  /** Everything that has a list of referrers, in no order. */
  async *subjects(repository: Repository): AsyncGenerator<Digest> {
    const lists = path.join(this.paths.repository(repository), '_referrers');
    for (const algorithm of ['sha256', 'sha512']) {
      const folder = path.join(lists, algorithm);
      for await (const { name } of (await absent(opendir(folder))) ?? []) {
        const subject = `${algorithm}:${name}`;
        if (isDigest(subject)) yield subject;
      }
    }
  }

  /** What the manifest is listed as a referrer of, told by the lists themselves: a look at all of them. */
  async *subjectsOf(repository: Repository, digest: Digest): AsyncGenerator<Digest> {
    for await (const subject of this.subjects(repository)) {
      const entry = stat(this.paths.referrer(repository, subject, digest));
      if ((await absent(entry)) !== undefined) yield subject;
    }
  }

  /** When somebody last showed that the link is needed: milliseconds since 1970; `undefined` without a link. */
  async usedAt(repository: Repository, digest: Digest): Promise<number | undefined> {
    return (await absent(stat(this.paths.link(repository, digest))))?.mtimeMs;
  }

  /** Notes that the link is needed. Whether there is one. */
  async use(repository: Repository, digest: Digest, now: number): Promise<boolean> {
    const time = now / 1000;
    const name = this.paths.link(repository, digest);
    return (await absent(utimes(name, time, time).then(() => true))) ?? false;
  }

  /**
   * All of the changes, or none; settles when the disk has them. Changes to one file must not overlap.
   * @throws Error of Node
   */
  async change(changes: readonly Change[]): Promise<void> {
    try {
      await this.#journal.apply(changes);
    } finally {
      this.#forgotten(changes.map(({ name }) => name));
    }
    const emptied = changes.flatMap(({ name, text }) =>
      text === undefined ? [path.dirname(name)] : [],
    );
    for (const folder of new Set(emptied)) await prune(folder, this.paths.repositories);
  }

  /** Removes a record without waiting for the disk; `settle` does. @throws Error of Node */
  async forget(name: string): Promise<void> {
    try {
      this.#unsettled.add(path.dirname(name));
      await rm(name, { force: true });
    } finally {
      this.#forgotten([name]);
    }
  }

  /** Settles when the disk has forgotten what `forget` removed from the repository. @throws Error of Node */
  async settle(repository: Repository): Promise<void> {
    const own = this.paths.repository(repository) + path.sep;
    for (const folder of this.#unsettled) {
      if (!folder.startsWith(own)) continue;
      await syncNearest(folder);
      this.#unsettled.delete(folder);
    }
  }

  /**
   * Removes the folders of repositories that live here which hold nothing: those that a collection or a
   * crash has left. After `settle`.
   */
  async tidy(): Promise<void> {
    await pruneBelow(path.join(this.paths.repositories, HOSTED), this.paths.repositories);
  }

  #forgotten(names: readonly string[]): void {
    this.#changes += 1;
    for (const name of names) {
      this.#links.delete(name);
      this.#tags.delete(name);
    }
  }

  async #read<T extends object>(
    remembered: LRUCache<string, T>,
    name: string,
    parse: (value: unknown) => T | undefined,
  ): Promise<T | undefined> {
    const known = remembered.get(name);
    if (known !== undefined) return known;
    const changes = this.#changes;
    const record = await readRecord(name, parse);
    if (record !== undefined && changes === this.#changes) remembered.set(name, record);
    return record;
  }
}
