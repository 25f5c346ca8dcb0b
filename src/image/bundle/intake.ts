import { randomUUID } from 'node:crypto';
import { algorithmOf, type Digest } from '../../core/digest.ts';
import { RegistryError } from '../../core/errors.ts';
import { runningHash } from '../../core/hashing.ts';
import type { Platform } from '../../core/platform.ts';
import { decompress } from '../../layer/decompress.ts';
import type { TarEntry } from '../../layer/tar-entry.ts';
import { walkTar } from '../../layer/tar.ts';
import { onDisk } from '../../store/on-disk.ts';
import { damaged, type Files } from '../archive/content.ts';
import { openFile } from '../archive/folder-files.ts';
import { notAnArchive } from '../archive/tar-files.ts';
import { ArchiveLock } from './archive-lock.ts';
import { Commits } from './commits.ts';
import { Held } from './held.ts';
import { LOCK_NAME, type Lock } from './lock.ts';
import { isSmall, Members, quoted } from './members.ts';
import { Reservation } from './reservation.ts';
import { Selection } from './selection.ts';
import type { Shelf } from './shelf.ts';

export interface IntakeOptions {
  readonly shelf: Shelf;
  /** What people call the archive. */
  readonly name: string;
  /** What the archive has to hold, when that is known beforehand. */
  readonly lock?: Lock | undefined;
  /** Of an index only the images for these are wanted. */
  readonly platforms?: readonly Platform[] | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Takes an archive in, in one pass and in any order of its files: content goes into the store, where
 * nothing leads to it yet and nobody may remove it until this is disposed. What is new by then and was
 * not settled is removed again.
 */
export class Intake implements AsyncDisposable {
  readonly #options: IntakeOptions;
  readonly #reservation: Reservation;
  readonly #selection: Selection;
  readonly #commits = new Commits();
  readonly #members: Members;
  /** Content of the archive, with its bytes. */
  readonly #taken = new Map<Digest, number>();
  readonly #held: Held;
  readonly #lock: ArchiveLock;

  constructor(options: IntakeOptions) {
    this.#options = options;
    this.#held = new Held(options.shelf);
    this.#reservation = new Reservation(options.shelf, options.name);
    this.#selection = new Selection({
      reservation: this.#reservation,
      platforms: options.platforms,
      paths: options.shelf.paths,
      settled: () => this.#commits.settled(),
    });
    this.#members = new Members(options.name);
    this.#lock = new ArchiveLock({
      name: options.name,
      stated: options.lock,
      known: (lock) => this.#selection.begin(lock),
    });
  }

  /** What the archive states, or was stated of it beforehand. */
  get lock(): Lock | undefined {
    return this.#lock.lock;
  }

  /**
   * Reads all of it.
   * @throws RegistryError MANIFEST_INVALID for what is no archive, DIGEST_INVALID for damaged content,
   *   STORAGE_UNAVAILABLE for want of room
   */
  async read(bytes: AsyncIterable<Uint8Array>): Promise<void> {
    const { name, signal } = this.#options;
    await this.#lock.begin();
    try {
      await using input = await decompress(bytes);
      for await (const entry of walkTar(input.bytes)) {
        signal?.throwIfAborted();
        await this.#entry(entry);
      }
      await input.drain();
    } catch (cause) {
      if (!(cause instanceof RegistryError) || cause.code !== 'LAYER_INVALID') throw cause;
      throw notAnArchive(name, cause.message, cause);
    }
    await this.#commits.settled();
    if (this.#members.count === 0) throw notAnArchive(name, 'it is empty');
  }

  has(digest: Digest): boolean {
    return this.#taken.has(digest);
  }

  /** Bytes of content that the archive has, stored or not; `undefined` for any other. */
  size(digest: Digest): number | undefined {
    return this.#taken.get(digest);
  }

  /** What the archive holds besides content, and what its list of images calls content. */
  get files(): Files {
    return {
      name: this.#options.name,
      open: (asked) =>
        this.#members.open(asked, async (digest) =>
          this.has(digest) ? openFile(this.#options.shelf.paths.blob(digest)) : undefined,
        ),
      [Symbol.asyncDispose]: async () => {},
    };
  }

  /** Takes in what was made, such as the manifest of an image that came without. */
  async put(bytes: Uint8Array, digest: Digest): Promise<void> {
    if (this.#taken.has(digest)) return;
    await this.#content(digest, bytes.length, [bytes]);
    await this.#commits.settled();
  }

  /** Content that was here before, and has to stay. */
  hold(digest: Digest): Promise<void> {
    return this.#held.hold(digest);
  }

  /** The content is led to from now on. Tells whether it came with the archive. */
  settle(digest: Digest): boolean {
    return this.#held.settle(digest);
  }

  /** Removes what came with the archive and is not wanted. */
  drop(isWanted: (digest: Digest) => boolean): Promise<void> {
    return this.#held.drop(isWanted);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#commits[Symbol.asyncDispose]();
    this.#reservation[Symbol.dispose]();
    await this.#held[Symbol.asyncDispose]();
  }

  async #entry(entry: TarEntry): Promise<void> {
    const name = this.#members.next(entry.name);
    if (entry.type === 'directory') return;
    if (name === LOCK_NAME) this.#lock.check(entry);
    if (entry.type === 'symlink' || entry.type === 'hardlink') {
      this.#members.link(name, entry);
      return;
    }
    if (entry.type !== 'file') {
      throw notAnArchive(this.#options.name, `${quoted(entry.name)} is neither file nor link`);
    }
    const digest = this.#members.digestIn(name);
    if (digest !== undefined) {
      const listed = this.#lock.listed(digest, entry.size);
      if (listed === undefined || (await this.#selection.wants(listed))) {
        await this.#content(digest, entry.size, entry.content());
      } else {
        this.#taken.set(digest, entry.size);
        await this.#check(digest, entry.size, entry.content());
      }
    } else if (isSmall(name, entry.size)) {
      const bytes = await this.#members.keep(name, entry);
      if (name === LOCK_NAME) await this.#lock.learn(bytes);
    } else await this.#learn(name, entry);
  }

  async #content(
    digest: Digest,
    size: number,
    bytes: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  ): Promise<void> {
    const { content } = this.#options.shelf;
    await this.hold(digest);
    if (this.#held.isFresh(digest)) await this.#commits.settled();
    if ((await content.size(digest)) === size) {
      this.#taken.set(digest, size);
      return this.#check(digest, size, bytes);
    }
    const ingest = await content.ingestApart(digest, this.#reservation.room);
    this.#held.bring(digest);
    try {
      await ingest.expect(size);
      if (!ingest.storing) throw this.#reservation.noRoom(digest, size);
      for await (const chunk of bytes) {
        this.#options.signal?.throwIfAborted();
        await ingest.write(chunk);
      }
    } catch (error) {
      await ingest[Symbol.asyncDispose]();
      throw error;
    }
    this.#taken.set(digest, size);
    await this.#commits.add(async () => {
      await using _ = ingest;
      const { stored } = await ingest.commit().catch((cause: unknown) => {
        throw wrong(this.#options.name, digest, cause);
      });
      if (!stored) throw this.#reservation.noRoom(digest, size);
    });
  }

  /** Stored already, or not wanted: what the archive has is read all the same, or it would pass for sound. */
  async #check(
    digest: Digest,
    size: number,
    bytes: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  ): Promise<void> {
    const { name } = this.#options;
    using hash = runningHash(algorithmOf(digest), size);
    for await (const chunk of bytes) await hash.update(chunk);
    if ((await hash.digest()) !== digest) throw damaged(name, digest);
  }

  /** A file whose name says no digest, such as a layer that docker saved: hashed while it is stored. */
  async #learn(name: string, entry: TarEntry): Promise<void> {
    const { uploads, content } = this.#options.shelf;
    using _ = await this.#reservation.unnamed(entry.name, entry.size);
    const upload = `${randomUUID()}.import`;
    try {
      await onDisk(async () => {
        await using file = await uploads.create(upload);
        const { hasher } = await file.hash('sha256');
        for await (const chunk of entry.content()) {
          this.#options.signal?.throwIfAborted();
          await file.write(chunk);
        }
        await file.flush();
        const digest = hasher.digest();
        await this.hold(digest);
        if ((await content.size(digest)) === undefined) this.#held.bring(digest);
        await uploads.publish(file, digest);
        this.#taken.set(digest, entry.size);
        this.#members.learnt(name, digest);
      });
    } finally {
      await uploads.remove(upload);
    }
  }
}

function wrong(place: string, digest: Digest, cause: unknown): unknown {
  const is = cause instanceof RegistryError && cause.code === 'DIGEST_INVALID';
  return is ? damaged(place, digest) : cause;
}
