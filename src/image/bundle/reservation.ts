import { digestOf, type Digest } from '../../core/digest.ts';
import { RegistryError } from '../../core/errors.ts';
import type { Claim, Room } from '../../store/budget/room.ts';
import type { Lock, LockedContent } from './lock.ts';
import type { Shelf } from './shelf.ts';

/** Room for what a lock lists, set aside before it is written. */
export class Reservation implements Disposable {
  readonly #shelf: Pick<Shelf, 'room' | 'content'>;
  readonly #name: string;
  readonly #claims = new Map<Digest, Claim>();

  constructor(shelf: Pick<Shelf, 'room' | 'content'>, name: string) {
    this.#shelf = shelf;
    this.#name = name;
  }

  /**
   * For what is wanted of it. May be asked for more later.
   * @throws RegistryError STORAGE_UNAVAILABLE where it does not fit, before anything else has to go
   */
  async make(lock: Lock, wants: (one: LockedContent) => boolean): Promise<void> {
    const lacking: LockedContent[] = [];
    for (const one of lock.content.filter(wants)) {
      const there = (await this.#shelf.content.size(one.digest)) === one.size;
      if (one.in === 'bundle' && !there) lacking.push(one);
    }
    const bytes = lacking.reduce((sum, { size }) => sum + size, 0);
    const refusal = await this.#shelf.room.refusal(bytes);
    if (refusal !== undefined) {
      throw new RegistryError(
        'STORAGE_UNAVAILABLE',
        `there is no room for the ${bytes} bytes of ${this.#name}: ${refusal} (storage.maxSize, storage.minFree)`,
      );
    }
    for (const { digest, size } of lacking) {
      const claim = await this.#shelf.room.claim(digest, size, 'removed');
      if (claim === undefined) throw this.noRoom(digest, size);
      this.#claims.set(digest, claim);
    }
  }

  /** What has been set aside, and more where nothing has been. */
  get room(): Room {
    return {
      claim: async (digest, size, leftover) => {
        const claim = this.#claims.get(digest);
        this.#claims.delete(digest);
        return claim ?? this.#shelf.room.claim(digest, size, leftover);
      },
    };
  }

  /** For a file whose digest will be known at its end. Disposed once the file counts as content. */
  async unnamed(name: string, size: number): Promise<Disposable> {
    const standIn = digestOf(Buffer.from(name));
    const claim = await this.#shelf.room.claim(standIn, size, 'removed');
    if (claim === undefined) throw this.noRoom(name, size);
    return { [Symbol.dispose]: () => claim.end(0) };
  }

  noRoom(what: string, size: number): RegistryError {
    return new RegistryError(
      'STORAGE_UNAVAILABLE',
      `there is no room for the ${size} bytes of ${what} in ${this.#name} (storage.maxSize, storage.minFree)`,
    );
  }

  [Symbol.dispose](): void {
    for (const claim of this.#claims.values()) claim.end(0);
    this.#claims.clear();
  }
}
