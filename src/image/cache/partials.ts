import { closeSync, openSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';
import type { Digest } from '../../core/digest.ts';
import { systemCode } from '../../core/errors.ts';
import type { Repository } from '../../core/reference.ts';
import { isGone } from '../owner.ts';
import { isDownload, ownerOf, type CacheFolder } from './folder.ts';
import type { Turn } from './turn.ts';

/** What a file of a living process is good for: bytes as they come, those that are there, or nothing. */
export type Trust = 'followed' | 'copied' | 'ignored';

/** How content that is not there is to be come by. */
export type Claim =
  /** By this process, under a name that nobody else writes; a living one's file to begin with may be copied there. */
  | { readonly kind: 'mine'; readonly name: string; readonly copied?: string }
  /** Another process is fetching it. */
  | { readonly kind: 'theirs'; readonly name: string }
  /** It is there by now. */
  | { readonly kind: 'there' }
  /** By nobody who would keep it. */
  | { readonly kind: 'nobody' };

interface Partial {
  readonly name: string;
  readonly size: number;
  /** Milliseconds, by the clock of the disk: compared with each other only. */
  readonly written: number;
}

export interface ClaimOptions {
  /** Where it would be asked for: what comes from elsewhere is left alone. */
  readonly repository: Repository;
  /** What the living file of that name is good for. */
  readonly trust: (name: string) => Trust;
  /** Whether the blob may have come meanwhile, or was found to be of no use. */
  readonly blob: 'perhaps-there' | 'of-no-use';
  /** Whether this process can keep it. */
  readonly room: 'enough' | 'none';
}

/** The partial files that one process writes, and how it comes by what others write or left behind. */
export class Partials {
  readonly #folder: CacheFolder;
  readonly #owner: string;
  readonly #turn: Turn;
  #counter = 0;

  constructor(folder: CacheFolder, owner: string, turn: Turn) {
    this.#folder = folder;
    this.#owner = owner;
    this.#turn = turn;
  }

  /**
   * Settles who fetches the digest to its end. Of several processes that ask for it in one repository
   * at once it is one, as each has a turn; the others follow that one for as long as they trust it.
   */
  claim(digest: Digest, { repository, trust, blob, room }: ClaimOptions): Promise<Claim> {
    return this.#turn.take(() => {
      const prefix = this.#folder.partialPrefix(repository, digest);
      const { living, orphans } = this.#others(prefix);
      const trusted = (wanted: Trust): Partial[] =>
        living.filter(({ name }) => isDownload(name) && trust(name) === wanted);
      // Of several the one that was written last: another one may stand still.
      const [followed] = trusted('followed').toSorted((a, b) => b.written - a.written);
      if (followed !== undefined) return { kind: 'theirs', name: followed.name };
      // Looked for after its partial file: that one became it by a rename.
      const there = blob === 'perhaps-there' && sizeOf(this.#folder.blob(digest)) !== undefined;
      if (there) return { kind: 'there' };
      if (room === 'none') return { kind: 'nobody' };
      const name = this.#name(prefix, '.download');
      const taken = takeOver(orphans, name);
      if (taken === undefined) closeSync(openSync(name, 'wx'));
      const [copied] = trusted('copied').toSorted((a, b) => b.size - a.size);
      const more = copied !== undefined && copied.size > (taken?.size ?? 0);
      return { kind: 'mine', name, ...(more && { copied: copied.name }) };
    });
  }

  /** A name under which content of the digest is to grow that nobody waits for, with the most that was left behind. */
  apart(repository: Repository, digest: Digest): string {
    const prefix = this.#folder.partialPrefix(repository, digest);
    const name = this.#name(prefix, '');
    takeOver(this.#others(prefix).orphans, name);
    return name;
  }

  /** Nobody writes the file any more: what is left is there for whoever goes on with it. */
  release(name: string): void {
    const [prefix, owner, number] = path.basename(name).split('.');
    const left = path.join(this.#folder.partials, `${prefix}.left.${owner}-${number}`);
    try {
      renameSync(name, left);
    } catch {
      // It became the blob, or was removed.
    }
  }

  #name(prefix: string, suffix: '' | '.download'): string {
    this.#counter += 1;
    return path.join(this.#folder.partials, `${prefix}${this.#owner}.${this.#counter}${suffix}`);
  }

  #others(prefix: string): { readonly living: Partial[]; readonly orphans: Partial[] } {
    const [living, orphans]: [Partial[], Partial[]] = [[], []];
    for (const base of readdirSync(this.#folder.partials)) {
      const owner = ownerOf(base);
      if (!base.startsWith(prefix) || owner === this.#owner) continue;
      const name = path.join(this.#folder.partials, base);
      const found = statSync(name, { throwIfNoEntry: false });
      if (found === undefined) continue;
      const list = isGone(this.#folder, owner) ? orphans : living;
      list.push({ name, size: found.size, written: found.mtimeMs });
    }
    return { living, orphans };
  }
}

/** Gives the largest that is still there another name, and removes the others: of several who try one succeeds. */
function takeOver(orphans: readonly Partial[], name: string): Partial | undefined {
  let taken: Partial | undefined;
  for (const orphan of orphans.toSorted((a, b) => b.size - a.size)) {
    if (taken === undefined) taken = renamed(orphan.name, name) ? orphan : undefined;
    else rmSync(orphan.name, { force: true });
  }
  return taken;
}

function renamed(from: string, to: string): boolean {
  try {
    renameSync(from, to);
    return true;
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return false;
    throw error;
  }
}

function sizeOf(name: string): number | undefined {
  return statSync(name, { throwIfNoEntry: false })?.size;
}
