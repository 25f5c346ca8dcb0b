import { LRUCache } from 'lru-cache';
import { readdir, rm } from 'node:fs/promises';
import { parseDescriptor, type Descriptor } from '../core/descriptor.ts';
import { isDigest, type Digest } from '../core/digest.ts';
import { formatReference, isTag, type Repository, type Tag } from '../core/reference.ts';
import { isCount, isRecord } from '../core/shape.ts';
import type { Paths } from './paths.ts';
import { Serial } from './serial.ts';
import { absent, readRecord, replaceFile } from './small-file.ts';

/** A meaning the tag had. Times are milliseconds since 1970. */
export interface Meaning {
  readonly digest: Digest;
  readonly firstSeen: number;
  readonly lastSeen: number;
}

/** What a tag means, as far as is known. Times are milliseconds since 1970. */
export interface TagRecord {
  readonly descriptor: Descriptor;
  readonly firstSeen: number;
  /** When the upstream last confirmed it. */
  readonly checkedAt: number;
  /** Since when the upstream says that there is no such tag. */
  readonly goneSince?: number;
  /** What it meant before, newest first. */
  readonly history: readonly Meaning[];
}

export interface TagStore {
  get(repository: Repository, tag: Tag): Promise<TagRecord | undefined>;
  set(repository: Repository, tag: Tag, record: TagRecord): Promise<void>;
  remove(repository: Repository, tag: Tag): Promise<void>;
  list(repository: Repository): Promise<readonly Tag[]>;
  /**
   * Runs the task while nobody else changes these tags: `set` and `remove` wait until it is over. What
   * it writes into their files itself it has to note.
   */
  hold<T>(tags: readonly NamedTag[], task: (note: NoteTag) => Promise<T>): Promise<T>;
}

export interface NamedTag {
  readonly repository: Repository;
  readonly tag: Tag;
}

/** The file of the tag, which is held, has this record now. */
export type NoteTag = (named: NamedTag, record: TagRecord) => void;

/** Records remembered in memory; each costs about a kilobyte. */
const REMEMBERED = 10_000;
const LONGEST_HISTORY = 1_000;

export function diskTags(paths: Paths): TagStore {
  const remembered = new LRUCache<string, TagRecord>({ max: REMEMBERED });
  const writes = new Serial();
  /** Tags that somebody holds, or waits to hold, and how many do. */
  const held = new Map<string, number>();
  /** Grows with every change: what was read before one must not be remembered after it. */
  let changes = 0;
  const remember = ({ repository, tag }: NamedTag, record: TagRecord | undefined): void => {
    const key = formatReference(repository, tag);
    changes += 1;
    if (record === undefined) remembered.delete(key);
    else remembered.set(key, record);
  };
  return {
    async get(repository, tag) {
      const key = formatReference(repository, tag);
      const known = remembered.get(key);
      if (known !== undefined) return known;
      const before = changes;
      const record = await readRecord(paths.tag(repository, tag), parseTagRecord);
      if (record !== undefined && before === changes) remembered.set(key, record);
      return record;
    },
    async set(repository, tag, record) {
      const name = paths.tag(repository, tag);
      // At once, for those who ask next; whoever holds the tag goes by what is written.
      if (!held.has(name)) remember({ repository, tag }, record);
      await writes.run(name, () => {
        remember({ repository, tag }, record);
        return replaceFile(name, JSON.stringify(record), paths.journal);
      });
    },
    async remove(repository, tag) {
      const name = paths.tag(repository, tag);
      await writes.run(name, async () => {
        remember({ repository, tag }, undefined);
        await rm(name, { force: true });
        // Somebody may have read it in between.
        remember({ repository, tag }, undefined);
      });
    },
    async hold(tags, task) {
      const names = tags.map(({ repository, tag }) => paths.tag(repository, tag));
      for (const name of names) held.set(name, (held.get(name) ?? 0) + 1);
      try {
        return await writes.runAll(names, () => task(remember));
      } catch (error) {
        // Whatever became of the files, they are read again.
        for (const named of tags) remember(named, undefined);
        throw error;
      } finally {
        for (const name of names) release(held, name);
      }
    },
    async list(repository) {
      const names = (await absent(readdir(paths.tags(repository)))) ?? [];
      return names.filter((name) => isTag(name)).toSorted();
    },
  };
}

function release(held: Map<string, number>, name: string): void {
  const others = (held.get(name) ?? 1) - 1;
  if (others === 0) held.delete(name);
  else held.set(name, others);
}

/** The record after the upstream said at `now` that the tag means `descriptor`. */
export function confirmed(
  record: TagRecord | undefined,
  descriptor: Descriptor,
  now: number,
): TagRecord {
  if (record?.descriptor.digest === descriptor.digest) {
    const { firstSeen, history } = record;
    return { descriptor, firstSeen, checkedAt: now, history };
  }
  const earlier: readonly Meaning[] =
    record === undefined
      ? []
      : [
          {
            digest: record.descriptor.digest,
            firstSeen: record.firstSeen,
            lastSeen: record.checkedAt,
          },
          ...record.history,
        ];
  return { descriptor, firstSeen: now, checkedAt: now, history: earlier.slice(0, LONGEST_HISTORY) };
}

export function parseTagRecord(value: unknown): TagRecord | undefined {
  if (!isRecord(value)) return undefined;
  const { firstSeen, checkedAt, goneSince, history } = value;
  const descriptor = parseDescriptor(value['descriptor']);
  if (descriptor === undefined || !isCount(firstSeen) || !isCount(checkedAt)) return undefined;
  return {
    descriptor,
    firstSeen,
    checkedAt,
    ...(isCount(goneSince) && { goneSince }),
    history: Array.isArray(history) ? history.flatMap((entry) => parseMeaning(entry) ?? []) : [],
  };
}

function parseMeaning(value: unknown): Meaning | undefined {
  if (!isRecord(value)) return undefined;
  const { digest, firstSeen, lastSeen } = value;
  if (typeof digest !== 'string' || !isDigest(digest)) return undefined;
  return isCount(firstSeen) && isCount(lastSeen) ? { digest, firstSeen, lastSeen } : undefined;
}
