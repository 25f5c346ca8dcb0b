import type { Digest } from '../../core/digest.ts';
import { RegistryError } from '../../core/errors.ts';
import type { TarEntry } from '../../layer/tar-entry.ts';
import { notAnArchive } from '../archive/tar-files.ts';
import { checkLockSize, LOCK_NAME, parseLock, type Lock, type LockedContent } from './lock.ts';

export interface ArchiveLockOptions {
  /** What people call the archive. */
  readonly name: string;
  /** What it has to hold, when that is known beforehand. */
  readonly stated: Lock | undefined;
  /** Called once, with the lock, as soon as there is one. */
  readonly known: (lock: Lock) => Promise<void>;
}

/** The lock that an archive is held against: what was stated of it beforehand, or what it states itself. */
export class ArchiveLock {
  readonly #options: ArchiveLockOptions;
  #lock: Lock | undefined;
  #listed: ReadonlyMap<Digest, LockedContent> | undefined;

  constructor(options: ArchiveLockOptions) {
    this.#options = options;
  }

  get lock(): Lock | undefined {
    return this.#lock;
  }

  /** Before anything is read. */
  async begin(): Promise<void> {
    const { stated } = this.#options;
    if (stated !== undefined) await this.#know(stated);
  }

  /** The file in the archive, before it is read: one that cannot be must not pass for none. @throws RegistryError */
  check({ type, size }: Pick<TarEntry, 'type' | 'size'>): void {
    const { name } = this.#options;
    checkLockSize(size, `${name}, ${LOCK_NAME}`);
    if (type !== 'file') throw notAnArchive(name, `its ${LOCK_NAME} is no file`);
  }

  /** The file in the archive. @throws RegistryError MANIFEST_INVALID, also if another lock was stated */
  async learn(bytes: Buffer): Promise<void> {
    const { name, stated } = this.#options;
    const lock = parseLock(bytes, `${name}, ${LOCK_NAME}`);
    if (stated === undefined) return this.#know(lock);
    if (JSON.stringify(stated) === JSON.stringify(lock)) return undefined;
    throw new RegistryError('MANIFEST_INVALID', `${name} was made with another lock`);
  }

  /**
   * What it says of content; `undefined` where there is no lock. What a lock does not list has no business in
   * the archive: said before it is read. @throws RegistryError MANIFEST_INVALID
   */
  listed(digest: Digest, size: number): LockedContent | undefined {
    if (this.#listed === undefined) return undefined;
    const listed = this.#listed.get(digest);
    if (listed?.size === size) return listed;
    const { name } = this.#options;
    throw new RegistryError(
      'MANIFEST_INVALID',
      listed === undefined
        ? `${name} does not match the lock, which does not list ${digest}`
        : `${name} does not match the lock: ${digest} has ${size} bytes, not ${listed.size}`,
    );
  }

  async #know(lock: Lock): Promise<void> {
    this.#lock = lock;
    this.#listed = new Map(lock.content.map((one) => [one.digest, one]));
    await this.#options.known(lock);
  }
}
