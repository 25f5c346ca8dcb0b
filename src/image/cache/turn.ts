import { DatabaseSync } from 'node:sqlite';
import { setTimeout as delay } from 'node:timers/promises';
import { lock } from '../owner.ts';

/** Milliseconds between two attempts, and in all: nobody stands still with another process. */
const AGAIN = 5;
const PATIENCE = 500;

/**
 * What processes that share a folder do one after the other. The lock is SQLite's, as an owner's is:
 * it ends with the process, however that ends.
 */
export class Turn implements Disposable {
  readonly #name: string;
  #database: DatabaseSync | undefined;
  /** Milliseconds; none left once somebody held the lock for longer than any turn takes. */
  #patience = PATIENCE;
  /** Turns of this process, one after the other. */
  #last: Promise<unknown> = Promise.resolve();

  /** @param name the file that is locked, made when it is first needed */
  constructor(name: string) {
    this.#name = name;
  }

  /**
   * Runs the task, which does not wait for anything. Where the turn does not come soon, or nothing can
   * be locked, it is run all the same: it must be right then, too, if not as thrifty.
   */
  take<T>(task: () => T): Promise<T> {
    const taken = this.#last.then(async () => {
      using _turn = await this.#locked();
      return task();
    });
    this.#last = taken.catch(() => {});
    return taken;
  }

  [Symbol.dispose](): void {
    this.#database?.close();
    this.#database = undefined;
  }

  async #locked(): Promise<Disposable> {
    const nothing: Disposable = { [Symbol.dispose]() {} };
    for (let waited = 0; waited <= this.#patience; waited += AGAIN) {
      try {
        this.#database ??= new DatabaseSync(this.#name);
        const database = this.#database;
        if (lock(database) === 'taken') {
          return { [Symbol.dispose]: () => database.exec('ROLLBACK') };
        }
      } catch {
        return nothing;
      }
      await delay(AGAIN);
    }
    this.#patience = 0;
    return nothing;
  }
}
