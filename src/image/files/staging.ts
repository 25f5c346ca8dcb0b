import {
  chmod,
  lchown,
  link,
  lutimes,
  mkdir,
  open,
  symlink,
  unlink,
  utimes,
} from 'node:fs/promises';
import { systemCode } from '../../core/errors.ts';
import { encodeName } from '../../layer/name.ts';
import type { Part } from '../../layer/tar-entry.ts';
import { below, onDisk, writeParts } from './disk.ts';
import type { FileEntry, FileType } from './file-entry.ts';
import { ancestorsOf, isWithin, type ImagePath } from './path.ts';
import { WithoutXattrs } from './xattrs.ts';

/** How files get their owners and special bits on the disk. */
export interface Manners {
  /** Setuid, setgid and sticky bits. */
  readonly specialBits: 'drop' | 'keep';
  /** `keep` gives files the owners they have in the image, which only root can. */
  readonly owners: 'own' | 'keep';
}

/** Something of the image that was not written, and why. */
export interface Skipped {
  readonly path: ImagePath;
  readonly why: string;
}

/** Metadata that a file gets. */
export type Attributes = Pick<FileEntry, 'mode' | 'uid' | 'gid' | 'mtime'>;

/**
 * A tree on the disk in which everything was made by us and nothing was there before. It knows what it
 * made, so it never goes through a link, and never leaves the folder, whatever names it is given.
 */
export class Staging {
  readonly folder: Buffer;
  readonly skipped: Skipped[] = [];
  readonly withoutXattrs = new WithoutXattrs();
  files = 0;
  bytes = 0;
  /** What messages call the folder: where it is going. */
  readonly #called: Buffer;
  readonly #manners: Manners;
  readonly #kinds = new Map<ImagePath, FileType>();
  readonly #folders = new Map<ImagePath, Attributes | undefined>();

  private constructor(folder: Buffer, called: Buffer, manners: Manners) {
    this.folder = folder;
    this.#called = called;
    this.#manners = manners;
  }

  static async create(folder: string, called: string, manners: Manners): Promise<Staging> {
    const staging = new Staging(Buffer.from(folder), Buffer.from(called), manners);
    await onDisk(called, () => mkdir(folder, 0o700));
    staging.#folders.set('', undefined);
    return staging;
  }

  /** What was made at a path. */
  kindAt(at: ImagePath): FileType | undefined {
    return this.#folders.has(at) ? 'directory' : this.#kinds.get(at);
  }

  /** Makes an entry, or notes why not. Hard links are made by `join`. */
  async put(at: ImagePath, entry: FileEntry, parts: () => AsyncIterable<Part>): Promise<void> {
    await this.#unlessTooLong(at, () => this.#put(at, entry, parts));
  }

  async #put(at: ImagePath, entry: FileEntry, parts: () => AsyncIterable<Part>): Promise<void> {
    switch (entry.type) {
      case 'directory':
        if (await this.#ready(at, 'directory')) {
          this.#folders.set(at, entry);
          this.withoutXattrs.note(at, entry);
        }
        return;
      case 'file':
        if (await this.#ready(at, 'file')) {
          await this.#write(at, entry, parts());
          this.withoutXattrs.note(at, entry);
        }
        return;
      case 'symlink':
        if (await this.#ready(at, 'symlink')) {
          await this.#symlink(at, entry);
          this.withoutXattrs.note(at, entry);
        }
        return;
      case 'character':
      case 'block':
      case 'fifo':
        this.skip(at, `it is a ${entry.type === 'fifo' ? 'fifo' : `${entry.type} device`}`);
        return;
      case 'hardlink':
      case 'whiteout':
      case 'opaque':
        this.skip(at, `it is a ${entry.type}`);
    }
  }

  /** Makes a hard link to a file that was made here. `false` when there is none. */
  async join(at: ImagePath, target: ImagePath): Promise<boolean> {
    const kind = this.#kinds.get(target);
    if (kind === undefined || at === target) return false;
    await this.#unlessTooLong(at, async () => {
      if (!(await this.#ready(at, kind))) return;
      const place = below(this.folder, at);
      await this.#onDisk(at, () => link(below(this.folder, target), place));
      this.files += 1;
    });
    return true;
  }

  /** One name that this disk cannot have is no reason to go without all the others. */
  async #unlessTooLong(at: ImagePath, make: () => Promise<void>): Promise<void> {
    try {
      await make();
    } catch (error) {
      if (!(error instanceof Error) || systemCode(error.cause) !== 'ENAMETOOLONG') throw error;
      this.#kinds.delete(at);
      this.skip(at, 'a name is too long for the file system');
    }
  }

  skip(path: ImagePath, why: string): void {
    this.skipped.push({ path, why });
  }

  /** Gives folders what is theirs, the deepest first; their owner can still write in them, and move them. */
  async finish(): Promise<void> {
    for (const [at, attributes] of this.#deepest('')) {
      if (at !== '') await this.#dress(at, below(this.folder, at), attributes, OWNERS);
    }
  }

  /** Gives a folder that was moved, and those in it, what the image says to the letter. */
  async settle(destination: Buffer, folder: ImagePath): Promise<void> {
    for (const [at, attributes] of this.#deepest(folder)) {
      const open = ((attributes ?? IMPLICIT).mode & OWNERS) === OWNERS;
      if (at === folder || !open) await this.#dress(at, below(destination, at), attributes, 0);
    }
  }

  #deepest(folder: ImagePath): (readonly [ImagePath, Attributes | undefined])[] {
    const within = [...this.#folders].filter(([at]) => isWithin(at, folder));
    return within.toSorted(([a], [b]) => b.length - a.length);
  }

  async #dress(
    at: ImagePath,
    place: Buffer,
    attributes: Attributes | undefined,
    besides: number,
  ): Promise<void> {
    const { uid, gid, mtime, mode } = attributes ?? { ...IMPLICIT, mtime: undefined };
    await this.#onDisk(at, async () => {
      if (this.#manners.owners === 'keep') await lchown(place, uid, gid);
      await chmod(place, this.#mode(mode) | besides);
      if (mtime !== undefined) await utimes(place, mtime, mtime);
    });
  }

  async #write(at: ImagePath, entry: FileEntry, parts: AsyncIterable<Part>): Promise<void> {
    const place = below(this.folder, at);
    await this.#onDisk(at, async () => {
      const handle = await open(place, 'wx', 0o600);
      try {
        this.bytes += await writeParts(handle, parts);
        // Changing the owner takes special bits away, so the mode comes after it.
        if (this.#manners.owners === 'keep') await handle.chown(entry.uid, entry.gid);
        await handle.chmod(this.#mode(entry.mode));
        await handle.utimes(entry.mtime, entry.mtime);
      } finally {
        await handle.close();
      }
    });
    this.files += 1;
  }

  async #symlink(at: ImagePath, entry: FileEntry): Promise<void> {
    const place = below(this.folder, at);
    if (entry.link === undefined || entry.link === '') {
      this.#kinds.delete(at);
      this.skip(at, 'it is a link that leads nowhere');
      return;
    }
    const target = encodeName(entry.link);
    await this.#onDisk(at, async () => {
      await symlink(target, place);
      if (this.#manners.owners === 'keep') await lchown(place, entry.uid, entry.gid);
      await lutimes(place, entry.mtime, entry.mtime);
    });
    this.files += 1;
  }

  /** Makes the folders above and clears the place. `false`, and noted, where that cannot be. */
  async #ready(at: ImagePath, kind: FileType): Promise<boolean> {
    for (const folder of ancestorsOf(at)) if (!(await this.#enter(folder, at))) return false;
    if (kind === 'directory') return this.#enter(at, at);
    if (this.#folders.has(at)) {
      this.skip(at, 'there is a folder of the same name in its place');
      return false;
    }
    if (this.#kinds.has(at)) await this.#onDisk(at, () => unlink(below(this.folder, at)));
    this.#kinds.set(at, kind);
    return true;
  }

  async #enter(folder: ImagePath, at: ImagePath): Promise<boolean> {
    if (this.#folders.has(folder)) return true;
    const other = this.#kinds.get(folder);
    if (other !== undefined) {
      this.skip(at, `its way leads through a ${other}, ${folder === at ? 'itself' : folder}`);
      return false;
    }
    const place = below(this.folder, folder);
    await this.#onDisk(folder, () => mkdir(place, 0o700));
    this.#folders.set(folder, undefined);
    return true;
  }

  #onDisk<T>(at: ImagePath, action: () => Promise<T>): Promise<T> {
    return onDisk(below(this.#called, at), action);
  }

  #mode(mode: number): number {
    return this.#manners.specialBits === 'keep' ? mode : mode & 0o777;
  }
}

/** What it takes to write into a folder, and to move it. */
const OWNERS = 0o700;

/** What a folder gets that the image has no entry for. */
const IMPLICIT = { mode: 0o755, uid: 0, gid: 0 } as const;
