import { readdir, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { isRecord } from '../core/shape.ts';
import {
  ensureFolder,
  place,
  removeDurably,
  replaceDurably,
  stage,
  syncNearest,
} from './durable.ts';
import type { Paths } from './paths.ts';
import { absent } from './small-file.ts';

/** A small file that is to hold the text, or, without one, to be gone. */
export interface Change {
  readonly name: string;
  readonly text: string | undefined;
}

/** What is left to do of a set of changes once it is certain that they happen. Names from the root. */
interface Entry {
  readonly renames: readonly (readonly [from: string, to: string])[];
  readonly removals: readonly string[];
}

/**
 * Changes several small files as one: after a crash all of them have changed, or none. New texts are
 * staged in the journal's folder, one file there says what is to be renamed and removed, and from the
 * moment that it is on the disk the rest is finished, if need be by `recover` at the next start.
 */
export class Journal {
  readonly #paths: Paths;
  #count = 0;
  /** Entries that could not be carried out: nothing new begins before they are. */
  #stuck = false;

  constructor(paths: Paths) {
    this.#paths = paths;
  }

  /**
   * Settles when the disk has all of it. Two sets that touch the same file must not overlap.
   * @throws Error of Node
   */
  async apply(changes: readonly Change[]): Promise<void> {
    if (this.#stuck) await this.#finishAll();
    const [first, ...others] = changes;
    if (first === undefined) return;
    if (others.length > 0) return this.#applyAll(changes);
    if (first.text === undefined) return removeDurably(first.name);
    return replaceDurably(first.name, first.text, this.#paths.journal);
  }

  /**
   * Finishes what a crash has interrupted, and throws away what was staged and came to nothing. Comes
   * before anything is read or written.
   */
  async recover(): Promise<void> {
    await this.#finishAll();
    const { journal } = this.#paths;
    for (const name of (await absent(readdir(journal))) ?? []) await rm(path.join(journal, name));
  }

  async #finishAll(): Promise<void> {
    const names = (await absent(readdir(this.#paths.journal))) ?? [];
    for (const name of names.filter((one) => one.endsWith('.json'))) {
      await this.#finish(path.join(this.#paths.journal, name));
    }
    this.#stuck = false;
  }

  async #applyAll(changes: readonly Change[]): Promise<void> {
    const staged: (readonly [string, string])[] = [];
    const removals = changes.filter(({ text }) => text === undefined).map(({ name }) => name);
    this.#count += 1;
    const file = path.join(this.#paths.journal, `${process.pid}-${this.#count}.json`);
    try {
      for (const { name, text } of changes) {
        if (text === undefined) continue;
        await ensureFolder(path.dirname(name));
        staged.push([await stage(this.#paths.journal, text), name]);
      }
      const relative = (name: string): string => path.relative(this.#paths.root, name);
      const entry: Entry = {
        renames: staged.map(([from, to]) => [relative(from), relative(to)]),
        removals: removals.map((name) => relative(name)),
      };
      await replaceDurably(file, JSON.stringify(entry));
    } catch (error) {
      // Whether the disk has the entry is not known, so it goes first: half of it must never run.
      await removeDurably(file).catch(() => {
        this.#stuck = true;
      });
      if (!this.#stuck) for (const [from] of staged) await rm(from, { force: true });
      throw error;
    }
    await this.#finish(file);
  }

  async #finish(file: string): Promise<void> {
    try {
      const text = await absent(readFile(file, 'utf8'));
      // Somebody else who got stuck may have finished it.
      if (text === undefined) return;
      const entry = parseEntry(JSON.parse(text));
      if (entry !== undefined) await this.#carryOut(entry);
      await removeDurably(file);
    } catch (error) {
      this.#stuck = true;
      throw error;
    }
  }

  /** Any number of times with the same outcome. */
  async #carryOut({ renames, removals }: Entry): Promise<void> {
    const folders = new Set<string>();
    const inside = (name: string): string => {
      const file = path.join(this.#paths.root, name);
      folders.add(path.dirname(file));
      return file;
    };
    for (const [from, to] of renames)
      await absent(place(path.join(this.#paths.root, from), inside(to)));
    for (const name of removals) await rm(inside(name), { force: true });
    await Promise.all([...folders].map((folder) => syncNearest(folder)));
  }
}

function parseEntry(value: unknown): Entry | undefined {
  if (!isRecord(value)) return undefined;
  const { renames, removals } = value;
  if (!Array.isArray(renames) || !Array.isArray(removals)) return undefined;
  return {
    renames: renames.flatMap((pair: unknown) =>
      Array.isArray(pair) ? [[String(pair[0]), String(pair[1])] as const] : [],
    ),
    removals: removals.map(String),
  };
}
