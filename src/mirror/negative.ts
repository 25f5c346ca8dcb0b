import { LRUCache } from 'lru-cache';
import { isUnknown, RegistryError } from '../core/errors.ts';

const REMEMBERED = 10_000;

/** What upstreams have definitively said not to exist, for a short time. Nothing else is remembered. */
export class Negative {
  readonly #known = new LRUCache<string, RegistryError>({ max: REMEMBERED });

  /** @throws RegistryError what was remembered, while it is */
  check(key: string): void {
    const error = this.#known.get(key);
    if (error === undefined) return;
    const { detail } = error;
    throw new RegistryError(error.code, error.message, { detail, served: { result: 'negative' } });
  }

  /** Remembers the failure for so many milliseconds, if it is of the kind to be remembered. */
  note(key: string, error: unknown, milliseconds: number): void {
    if (!isUnknown(error) || !error.definitive || milliseconds <= 0) return;
    this.#known.set(key, error, { ttl: milliseconds });
  }

  forget(key: string): void {
    this.#known.delete(key);
  }

  clear(): void {
    this.#known.clear();
  }
}
