import path from 'node:path';
import { isDigest, type Digest } from '../../core/digest.ts';
import type { TarEntry } from '../../layer/tar-entry.ts';
import type { Content } from '../archive/content.ts';
import { inMemory } from '../archive/oci-layout.ts';
import { notAnArchive } from '../archive/tar-files.ts';
import { LARGEST_LOCK, LOCK_NAME } from './lock.ts';

/** An image's archive has a few files a layer; this bounds the memory that a strange one takes. */
const MOST_FILES = 250_000;
/** Bytes of small files, which are kept in memory. */
const MEMORY = 48 * 1024 * 1024;
/** Bytes of each of them. */
export const LARGEST_SMALL = 16 * 1024 * 1024;
/** Links that lead to links; more are taken for a ring. */
const MOST_HOPS = 16;

/** Where an OCI image layout has content, of any algorithm. */
const BLOB = /^blobs\/([^/]*)\/([^/]*)$/;

/** The files of an archive that is read once, by name: what was small, and where the rest has gone. */
export class Members {
  readonly #archive: string;
  readonly #small = new Map<string, Buffer>();
  readonly #learnt = new Map<string, Digest>();
  readonly #links = new Map<string, string>();
  #memory = 0;
  #count = 0;

  /** @param archive what people call it */
  constructor(archive: string) {
    this.#archive = archive;
  }

  get count(): number {
    return this.#count;
  }

  /**
   * The name without what means nothing in it. Nothing is put anywhere by its name; one that leads out
   * is still no accident. @throws RegistryError MANIFEST_INVALID
   */
  next(given: string): string {
    this.#count += 1;
    if (this.#count > MOST_FILES) throw notAnArchive(this.#archive, 'it has too many files');
    const parts = given.split('/');
    if (given.startsWith('/') || parts.includes('..')) {
      throw notAnArchive(this.#archive, `the name ${quoted(given)} leads out of it`);
    }
    return parts.filter((part) => part !== '' && part !== '.').join('/');
  }

  /** The digest that the name states; `undefined` for files that are not named after one. @throws RegistryError MANIFEST_INVALID */
  digestIn(name: string): Digest | undefined {
    const blob = BLOB.exec(name);
    if (blob === null) return undefined;
    const digest = `${blob[1]}:${blob[2]}`;
    if (isDigest(digest)) return digest;
    throw notAnArchive(this.#archive, `${quoted(name)} is not named after a digest`);
  }

  link(name: string, { type, link = '' }: Pick<TarEntry, 'type' | 'link'>): void {
    const from = type === 'symlink' ? path.posix.dirname(name) : '';
    this.#links.set(name, path.posix.join('/', from, link).slice(1));
  }

  learnt(name: string, digest: Digest): void {
    this.#learnt.set(name, digest);
  }

  /** Reads a file into memory. @throws RegistryError MANIFEST_INVALID if that is too much, or the second of its name */
  async keep(name: string, entry: TarEntry): Promise<Buffer> {
    this.#memory += entry.size;
    if (this.#memory > MEMORY) {
      throw notAnArchive(this.#archive, 'its lists are larger than those of any image');
    }
    if (this.#small.has(name)) throw notAnArchive(this.#archive, `it has two ${quoted(name)}`);
    const bytes = Buffer.alloc(entry.size);
    let length = 0;
    for await (const chunk of entry.content()) {
      bytes.set(chunk, length);
      length += chunk.length;
    }
    this.#small.set(name, bytes);
    return bytes;
  }

  /** The file of that name, behind links if need be; `stored` opens what has gone into the store. */
  async open(
    asked: string,
    stored: (digest: Digest) => Promise<Content | undefined>,
  ): Promise<Content | undefined> {
    let name = path.posix.join('/', asked).slice(1);
    for (let hops = 0; hops < MOST_HOPS; hops += 1) {
      const small = this.#small.get(name);
      if (small !== undefined) return inMemory(small);
      const blob = BLOB.exec(name);
      const digest = this.#learnt.get(name) ?? `${blob?.[1]}:${blob?.[2]}`;
      if (isDigest(digest)) {
        const content = await stored(digest);
        if (content !== undefined) return content;
      }
      const next = this.#links.get(name);
      if (next === undefined) return undefined;
      name = next;
    }
    return undefined;
  }
}

/** JSON and what stands beside it; the rest is content, however small. */
export function isSmall(name: string, size: number): boolean {
  return (
    size <= (name === LOCK_NAME ? LARGEST_LOCK : LARGEST_SMALL) &&
    (name.endsWith('.json') || /(?:^|\/)(?:json|VERSION|repositories|oci-layout)$/.test(name))
  );
}

/** A name out of an archive as messages show it: no control characters, and not without end. */
export function quoted(name: string): string {
  return JSON.stringify(name.slice(0, 160));
}
