import { createHash, randomUUID } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { algorithmOf, type Algorithm, type Digest } from '../core/digest.ts';
import { RegistryError } from '../core/errors.ts';
import { formatRepository, type Repository } from '../core/reference.ts';
import type { Hashed, UploadFile } from '../store/upload-file.ts';
import type { Piece, Uploads, UploadStatus } from './hosted.ts';
import { linkBlob } from './link-blob.ts';
import { onDisk } from '../store/on-disk.ts';
import type { StoredUpload } from '../store/uploads.ts';
import type { Parts } from './parts.ts';
import { take } from './piece.ts';
import { elsewhere, unknown } from './upload-errors.ts';
import { Writers, type Writer } from './writers.ts';

export interface UploadsOptions extends Parts {
  readonly rules: () => {
    /** Bytes that one blob may have. */
    readonly maxSize: number;
    /** Milliseconds after which an upload that nobody touches is thrown away. */
    readonly expireAfter: number;
  };
}

/** Hashes of uploads between two requests; one that is forgotten costs a second reading. */
const REMEMBERED = 10_000;
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** Uploads in files that say in their names which repository they belong to, so that a restart loses none. */
export class DiskUploads implements Uploads {
  readonly #options: UploadsOptions;
  readonly #writers = new Writers();
  readonly #hashed = new LRUCache<string, Hashed>({ max: REMEMBERED });
  /** What uploads that have just begun are going to be named by. */
  readonly #algorithms = new LRUCache<string, Algorithm>({ max: REMEMBERED });

  constructor(options: UploadsOptions) {
    this.#options = options;
  }

  async start(repository: Repository, algorithm: Algorithm = 'sha256'): Promise<UploadStatus> {
    const id = randomUUID();
    const name = nameOf(repository, id);
    await onDisk(async () => {
      await using _file = await this.#options.uploads.create(name);
    });
    if (algorithm !== 'sha256') this.#algorithms.set(name, algorithm);
    return { id, offset: 0 };
  }

  async status(repository: Repository, id: string): Promise<UploadStatus> {
    const name = nameOf(repository, id);
    const writer = this.#writers.of(name);
    const offset = writer?.file.length ?? (await this.#found(name))?.size;
    if (offset === undefined || writer?.cancelled === true) throw unknown();
    return { id, offset };
  }

  async append(repository: Repository, id: string, piece: Piece): Promise<UploadStatus> {
    const name = nameOf(repository, id);
    this.#writers.takeOver(name, piece.from);
    return this.#write(name, async (writer) => {
      const algorithm = this.#algorithms.get(name) ?? 'sha256';
      await this.#take(name, writer, piece, algorithm);
      return { id, offset: writer.file.length };
    });
  }

  async finish(
    repository: Repository,
    id: string,
    digest: Digest,
    piece?: Piece,
  ): Promise<{ readonly digest: Digest; readonly size: number }> {
    const name = nameOf(repository, id);
    this.#writers.takeOver(name, piece === undefined ? digest : piece.from);
    return this.#write(name, async (writer) => {
      if (piece !== undefined) await this.#take(name, writer, piece, algorithmOf(digest));
      return this.#publish(repository, name, writer, digest);
    });
  }

  async whole(
    repository: Repository,
    digest: Digest,
    piece: Piece,
  ): Promise<{ readonly digest: Digest; readonly size: number }> {
    const { id } = await this.start(repository, algorithmOf(digest));
    try {
      return await this.finish(repository, id, digest, piece);
    } catch (error) {
      await this.#forget(nameOf(repository, id)).catch(() => {});
      throw error;
    }
  }

  async cancel(repository: Repository, id: string): Promise<void> {
    const name = nameOf(repository, id);
    const writer = this.#writers.of(name);
    if (writer === undefined && (await onDisk(() => this.#found(name))) === undefined) {
      throw unknown();
    }
    if (writer !== undefined) writer.cancelled = true;
    if (!(await onDisk(() => this.#forget(name)))) throw unknown();
  }

  /** Throws away what nobody has touched for long; tells how many. @throws Error of Node */
  async expire(): Promise<number> {
    const { uploads } = this.#options;
    let expired = 0;
    for await (const upload of uploads.list()) {
      const { name } = upload;
      // An import, too, has files here.
      if (!this.#isOver(upload) || uploads.isOpen(name)) continue;
      await this.#writers.alone(name, async () => {
        const found = await uploads.stat(name);
        if (found === undefined || !this.#isOver(found)) return;
        if (await this.#forget(name)) expired += 1;
      });
    }
    return expired;
  }

  #isOver({ modifiedAt }: StoredUpload): boolean {
    const { dated, rules } = this.#options;
    return dated.now() - dated.of(modifiedAt) >= rules().expireAfter;
  }

  /** The upload that nobody writes to, unless its time is over: when it is swept up makes no difference. */
  async #found(name: string): Promise<StoredUpload | undefined> {
    const found = await this.#options.uploads.stat(name);
    return found === undefined || this.#isOver(found) ? undefined : found;
  }

  /** Has the one who writes at a time do so, and remembers the hash that it leaves. */
  #write<T>(name: string, task: (writer: Writer) => Promise<T>): Promise<T> {
    const open = (): Promise<UploadFile | undefined> => this.#options.uploads.open(name);
    return this.#writers.write(name, open, async (writer) => {
      try {
        // Whoever took it away while it was being opened saw no writer to tell.
        if ((await onDisk(() => this.#found(name))) === undefined) throw unknown();
        return await task(writer);
      } finally {
        const { hashed } = writer.file;
        if (hashed !== undefined && !writer.cancelled) this.#hashed.set(name, hashed);
      }
    });
  }

  async #take(name: string, writer: Writer, piece: Piece, algorithm: Algorithm): Promise<void> {
    const { file } = writer;
    const { maxSize } = this.#options.rules();
    if (piece.from !== undefined && piece.from !== file.length) throw elsewhere(file.length);
    if (file.length + (piece.size ?? 0) > maxSize) await this.#refuse(name, writer);
    if (piece.size !== undefined) file.admit(file.length + piece.size);
    await onDisk(() => file.hash(algorithm, this.#earlier(name)));
    const room = maxSize - file.length;
    writer.cut = piece.cut;
    const outcome = await take({
      file,
      piece,
      room,
      open: () => !writer.cancelled,
      onRead: () => (writer.cut = undefined),
    });
    switch (outcome) {
      case 'taken':
        return;
      case 'cancelled':
        throw unknown();
      case 'too-large':
        await this.#refuse(name, writer);
    }
  }

  async #refuse(name: string, writer: Writer): Promise<never> {
    writer.cancelled = true;
    await this.#forget(name);
    throw new RegistryError(
      'SIZE_INVALID',
      `larger than the ${this.#options.rules().maxSize} bytes that uploads.maxSize allows`,
      { status: 413 },
    );
  }

  async #publish(
    repository: Repository,
    name: string,
    writer: Writer,
    digest: Digest,
  ): Promise<{ readonly digest: Digest; readonly size: number }> {
    const { file } = writer;
    const { hasher } = await onDisk(() => file.hash(algorithmOf(digest), this.#earlier(name)));
    const actual = hasher.digest();
    if (actual !== digest) {
      writer.cancelled = true;
      await this.#forget(name);
      throw new RegistryError('DIGEST_INVALID', `what came is ${actual}, not ${digest}`);
    }
    await onDisk(() => this.#place(repository, writer, digest));
    writer.cancelled = true;
    this.#drop(name);
    return { digest, size: file.length };
  }

  async #place(repository: Repository, writer: Writer, digest: Digest): Promise<void> {
    const { uploads, locks, watch } = this.#options;
    await locks.digest(digest, async () => {
      watch.linking(digest);
      try {
        if (!writer.cancelled) await uploads.publish(writer.file, digest);
      } catch (error) {
        if (!writer.cancelled) throw error;
      }
      // Somebody took the file away before it could become content.
      if (writer.cancelled) throw unknown();
      await linkBlob(this.#options, repository, digest, writer.file.length);
    });
  }

  /** The hash of an earlier request, handed over: it goes on, and so is wrong for anybody else. */
  #earlier(name: string): Hashed | undefined {
    const hashed = this.#hashed.get(name);
    this.#hashed.delete(name);
    return hashed;
  }

  /** Whether there was such an upload. */
  #forget(name: string): Promise<boolean> {
    this.#drop(name);
    return this.#options.uploads.remove(name);
  }

  #drop(name: string): void {
    this.#hashed.delete(name);
    this.#algorithms.delete(name);
  }
}

/** The file's name binds an upload to its repository. @throws RegistryError BLOB_UPLOAD_UNKNOWN */
function nameOf(repository: Repository, id: string): string {
  if (!UUID.test(id)) throw unknown();
  const owner = createHash('sha256').update(formatRepository(repository)).digest('hex');
  return `${id}.${owner.slice(0, 40)}`;
}
