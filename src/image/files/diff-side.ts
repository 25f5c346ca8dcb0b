import { Hasher, type Digest } from '../../core/digest.ts';
import type { Part } from '../../layer/tar-entry.ts';
import { implicitFolder, type FileEntry } from './file-entry.ts';
import { Overlay } from './overlay.ts';
import type { ImagePath } from './path.ts';

/** A file that a container sees, with the digest of its content if it has any. */
export interface FileRecord {
  readonly entry: FileEntry;
  readonly content?: Digest;
}

/** Zeros of holes are hashed up to here; larger files are told apart by where their data lies. */
const MOST_ZEROS = 2 ** 30;
const ZEROS = new Uint8Array(64 * 1024);

/** One image of a comparison: what a container made of it sees, as far as it was recorded. */
export class DiffSide {
  readonly #overlay = new Overlay();
  readonly #records = new Map<ImagePath, FileRecord>();

  /** Takes the next entry, newest layer first. Whether a container sees it. */
  sees(entry: FileEntry): boolean {
    const { fate } = this.#overlay.add(entry);
    return fate === undefined && entry.type !== 'whiteout' && entry.type !== 'opaque';
  }

  async record(entry: FileEntry, parts: () => AsyncIterable<Part>): Promise<void> {
    const record =
      entry.type === 'file' ? { entry, content: await digestOfParts(parts()) } : { entry };
    this.#records.set(entry.path, record);
  }

  /** Everything recorded. Hard links are told as the files they are, where that is known. */
  finish(): ReadonlyMap<ImagePath, FileRecord> {
    for (const [path, layer] of this.#overlay.implicit()) {
      this.#records.set(path, { entry: implicitFolder(path, layer) });
    }
    for (const [path, record] of this.#records) this.#records.set(path, this.#resolved(record));
    return this.#records;
  }

  #resolved(record: FileRecord): FileRecord {
    const { type, path, link = '', layer } = record.entry;
    const target = type === 'hardlink' ? this.#records.get(link) : undefined;
    if (target?.content === undefined || target.entry.layer.index > layer.index) return record;
    return { entry: { ...target.entry, path, layer }, content: target.content };
  }
}

async function digestOfParts(parts: AsyncIterable<Part>): Promise<Digest> {
  const hasher = new Hasher('sha256');
  let zeros = 0;
  for await (const part of parts) {
    if (typeof part !== 'number') {
      hasher.update(part);
      continue;
    }
    zeros += part;
    if (zeros > MOST_ZEROS) hasher.update(Buffer.from(`hole of ${part} bytes`));
    else updateZeros(hasher, part);
  }
  return hasher.digest();
}

function updateZeros(hasher: Hasher, count: number): void {
  for (let left = count; left > 0; left -= ZEROS.length) {
    hasher.update(ZEROS.subarray(0, Math.min(left, ZEROS.length)));
  }
}
