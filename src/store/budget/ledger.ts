import type { Digest } from '../../core/digest.ts';

/** Bytes set aside for content on its way, before the first of them is written. */
export interface Entry {
  readonly size: number;
  /** How many of them the disk has. */
  written: number;
}

/** What the store takes, to the byte, without asking the disk: what is there, what is left over, what is promised. */
export class Ledger {
  readonly #claims = new Set<Entry>();
  readonly #leftovers = new Map<Digest, number>();
  readonly #uploads = new Map<string, number>();
  #bytes = 0;
  #objects = 0;
  #claimed = 0;
  #left = 0;
  #uploaded = 0;

  /** Bytes of complete content, and how many there are. */
  get stored(): { readonly bytes: number; readonly objects: number } {
    return { bytes: this.#bytes, objects: this.#objects };
  }

  /** Bytes of downloads and pushes: promised to those that run, and left behind by others. */
  get partial(): number {
    return this.#claimed + this.#left + this.#uploaded;
  }

  /** Of these, bytes of pushes. */
  get uploaded(): number {
    return this.#uploaded;
  }

  /** All of it, as if every running download were complete. */
  get used(): number {
    return this.#bytes + this.partial;
  }

  /** Bytes promised that the disk does not have yet. */
  get unwritten(): number {
    let bytes = 0;
    for (const { size, written } of this.#claims) bytes += Math.max(0, size - written);
    return bytes;
  }

  /** Partial content that nobody is writing, the oldest first. */
  get leftovers(): ReadonlyMap<Digest, number> {
    return this.#leftovers;
  }

  /** States what complete content takes. */
  count(stored: { readonly bytes: number; readonly objects: number }): void {
    this.#bytes = stored.bytes;
    this.#objects = stored.objects;
  }

  add(size: number): void {
    this.#bytes += size;
    this.#objects += 1;
  }

  remove(size: number): void {
    this.#bytes -= size;
    this.#objects -= 1;
  }

  /** What an earlier download left of the content; 0 forgets it. */
  leave(digest: Digest, bytes: number): void {
    this.#left += bytes - (this.#leftovers.get(digest) ?? 0);
    this.#leftovers.delete(digest);
    if (bytes > 0) this.#leftovers.set(digest, bytes);
  }

  /** What a push takes, or is about to. */
  uploadOf(name: string): number {
    return this.#uploads.get(name) ?? 0;
  }

  /** States that; 0 forgets it. */
  upload(name: string, bytes: number): void {
    this.#uploaded += bytes - this.uploadOf(name);
    if (bytes > 0) this.#uploads.set(name, bytes);
    else this.#uploads.delete(name);
  }

  promise(entry: Entry): void {
    this.#claims.add(entry);
    this.#claimed += entry.size;
  }

  release(entry: Entry): void {
    if (this.#claims.delete(entry)) this.#claimed -= entry.size;
  }
}
