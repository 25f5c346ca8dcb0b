import { LRUCache } from 'lru-cache';
import { RegistryError } from '../core/errors.ts';
import { reasonOf } from './reason.ts';

const REMEMBERED = 10_000;
/** Milliseconds for which an upstream that failed to answer is not asked again about the same. */
const POSTPONED = 5_000;

/** What upstreams are not asked again for a while, with the reason in one word. */
export class Postponed {
  readonly #reasons = new LRUCache<string, string>({ max: REMEMBERED, ttl: POSTPONED });

  reason(key: string): string | undefined {
    return this.#reasons.get(key);
  }

  /** The upstream failed to answer. */
  failed(key: string, error: unknown): void {
    if (error instanceof RegistryError) this.#reasons.set(key, reasonOf(error));
  }

  /** The upstream has not answered in time: nobody else waits for as long as it takes, and then as after `failed`. */
  late(key: string, answer: Promise<unknown>): void {
    this.#reasons.set(key, 'slow', { ttl: 0 });
    answer.then(
      () => this.#reasons.delete(key),
      (error: unknown) => {
        this.#reasons.delete(key);
        this.failed(key, error);
      },
    );
  }

  clear(): void {
    this.#reasons.clear();
  }
}
