import { readdir, rm } from 'node:fs/promises';
import { parseDescriptor, type Descriptor } from '../core/descriptor.ts';
import { isDigest, type Digest } from '../core/digest.ts';
import { isTag, type Repository, type Tag } from '../core/reference.ts';
import { isCount, isRecord } from '../core/shape.ts';
import { KnownTags, type Known } from './known-tags.ts';
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
  /** When the upstream last said so. */
  readonly askedAt?: number;
  /** What it meant before, newest first. */
  readonly history: readonly Meaning[];
}

export interface TagStore {
  get(repository: Repository, tag: Tag): Promise<TagRecord | undefined>;
  set(repository: Repository, tag: Tag, record: TagRecord): Promise<void>;
  /**
   * The same with what comes of the record at that moment; without that it stays as it is. What cannot be
   * written is not remembered either.
   */
  update(
    repository: Repository,
    tag: Tag,
    next: (found: TagRecord | undefined) => TagRecord | undefined,
  ): Promise<void>;
  remove(repository: Repository, tag: Tag): Promise<void>;
  list(repository: Repository): Promise<readonly Tag[]>;
  /**
   * Runs the task while nobody else changes these tags: `set`, `update` and `remove` wait until it is
   * over. What it writes into their files itself it has to note.
   */
  hold<T>(tags: readonly NamedTag[], task: (note: NoteTag) => Promise<T>): Promise<T>;
}

export interface NamedTag {
  readonly repository: Repository;
  readonly tag: Tag;
}

/** The file of the tag, which is held, has this record now. */
export type NoteTag = (named: NamedTag, record: TagRecord) => void;

const LONGEST_HISTORY = 1_000;

/** For changes that are the same whatever was there. */
const ANYTHING: Known = { record: undefined };

/** What becomes of a record; `stays`: nothing. */
type Next = (found: TagRecord | undefined) => TagRecord | 'gone' | 'stays';

export function diskTags(paths: Paths): TagStore {
  const known = new KnownTags();
  const writes = new Serial();
  /** Of each file who holds it, or wants to, and who waits for that: while there are any, whoever comes waits. */
  const waiting = new Map<string, number>();
  const nameOf = ({ repository, tag }: NamedTag): string => paths.tag(repository, tag);
  const queued = async <T>(names: readonly string[], task: () => Promise<T>): Promise<T> => {
    for (const name of names) waiting.set(name, (waiting.get(name) ?? 0) + 1);
    try {
      return await writes.runAll(names, task);
    } finally {
      for (const name of names) {
        const left = (waiting.get(name) ?? 1) - 1;
        if (left === 0) waiting.delete(name);
        else waiting.set(name, left);
      }
    }
  };
  const read = async (named: NamedTag): Promise<TagRecord | undefined> => {
    const { changes } = known;
    const record = await readRecord(nameOf(named), parseTagRecord);
    if (changes === known.changes) known.learn(named, record);
    return record;
  };
  const write = (name: string, record: TagRecord | undefined): Promise<void> =>
    record === undefined
      ? rm(name, { force: true })
      : replaceFile(name, JSON.stringify(record), paths.journal);
  /** What is known changes at once where nobody holds the tag; the disk follows in turn. */
  const change = async (named: NamedTag, found: Known | undefined, next: Next): Promise<void> => {
    const name = nameOf(named);
    const changed = (before: TagRecord | undefined): (() => Promise<void>) => {
      const after = next(before);
      if (after === 'stays') return async () => {};
      const record = after === 'gone' ? undefined : after;
      known.change(named, record);
      return async () => {
        try {
          await write(name, record);
        } catch (error) {
          if (known.get(named)?.record === record) known.forget(named);
          throw error;
        }
      };
    };
    if (found !== undefined && !waiting.has(name)) {
      await writes.run(name, changed(found.record));
      return;
    }
    await queued([name], async () => {
      const current = known.get(named);
      await changed(current === undefined ? await read(named) : current.record)();
    });
  };
  return {
    async get(repository, tag) {
      const found = known.get({ repository, tag });
      return found === undefined ? read({ repository, tag }) : found.record;
    },
    set: (repository, tag, record) => change({ repository, tag }, ANYTHING, () => record),
    update: (repository, tag, next) =>
      change(
        { repository, tag },
        known.get({ repository, tag }),
        (found) => next(found) ?? 'stays',
      ),
    remove: (repository, tag) => change({ repository, tag }, ANYTHING, () => 'gone'),
    hold: (tags, task) =>
      queued([...new Set(tags.map(nameOf))], async () => {
        try {
          return await task((named, record) => known.change(named, record));
        } catch (error) {
          // Whatever became of the files, they are read again.
          for (const named of tags) known.forget(named);
          throw error;
        }
      }),
    async list(repository) {
      const names = (await absent(readdir(paths.tags(repository)))) ?? [];
      return names.filter((name) => isTag(name)).toSorted();
    },
  };
}

/**
 * When the upstream last said anything of the tag; 0 where that would be later than `now`: by a clock that
 * was ahead, so that nothing is known of it.
 */
export function askedAt(
  { askedAt: asked, checkedAt }: Pick<TagRecord, 'askedAt' | 'checkedAt'>,
  now: number,
): number {
  const last = asked === undefined || asked < checkedAt ? checkedAt : asked;
  return last > now ? 0 : last;
}

/** The record after the upstream said at `now`, and for the first time at `since`, that the tag means `descriptor`. */
export function confirmed(
  record: TagRecord | undefined,
  descriptor: Descriptor,
  now: number,
  since = now,
): TagRecord {
  if (record?.descriptor.digest === descriptor.digest) {
    const { firstSeen, history } = record;
    return { descriptor, firstSeen, checkedAt: now, history };
  }
  const earlier = record === undefined ? [] : [meaningOf(record), ...record.history];
  const history = earlier.slice(0, LONGEST_HISTORY);
  return { descriptor, firstSeen: since, checkedAt: now, history };
}

/** The record after the upstream said at `now` that there is no such tag. */
export function gone(record: TagRecord, now: number): TagRecord {
  return { ...record, goneSince: record.goneSince ?? now, askedAt: now };
}

function meaningOf({
  descriptor: { digest },
  firstSeen,
  checkedAt,
  goneSince,
}: TagRecord): Meaning {
  // Earlier releases noted every "gone" as a confirmation.
  const lastSeen = goneSince === undefined ? checkedAt : Math.min(checkedAt, goneSince);
  return { digest, firstSeen, lastSeen };
}

export function parseTagRecord(value: unknown): TagRecord | undefined {
  if (!isRecord(value)) return undefined;
  const { firstSeen, checkedAt, goneSince, askedAt: asked, history } = value;
  const descriptor = parseDescriptor(value['descriptor']);
  if (descriptor === undefined || !isCount(firstSeen) || !isCount(checkedAt)) return undefined;
  return {
    descriptor,
    firstSeen,
    checkedAt,
    ...(isCount(goneSince) && { goneSince }),
    ...(isCount(asked) && { askedAt: asked }),
    history: Array.isArray(history) ? history.flatMap((entry) => parseMeaning(entry) ?? []) : [],
  };
}

function parseMeaning(value: unknown): Meaning | undefined {
  if (!isRecord(value)) return undefined;
  const { digest, firstSeen, lastSeen } = value;
  if (typeof digest !== 'string' || !isDigest(digest)) return undefined;
  return isCount(firstSeen) && isCount(lastSeen) ? { digest, firstSeen, lastSeen } : undefined;
}
