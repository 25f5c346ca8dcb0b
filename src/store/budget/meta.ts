import type { ClockState } from './clock.ts';
import type { IndexDatabase } from './index-database.ts';

/** What the index knows of itself. */
export type Mark =
  /** It was closed in an orderly way. */
  | 'clean'
  /** Every blob of the store has been noted once. */
  | 'counted'
  /** Everything that keeps content is known. */
  | 'complete'
  /** The patterns that were pinned when it was complete. */
  | 'pins';

/** Notes of the index about itself, and the store's clock. */
export class Meta {
  readonly #database: IndexDatabase;

  constructor(database: IndexDatabase) {
    this.#database = database;
  }

  get(mark: Mark): string | undefined {
    const value = this.#value(mark);
    return typeof value === 'string' ? value : undefined;
  }

  set(mark: Mark, value: string): void {
    this.#set(mark, value);
  }

  get clock(): ClockState | undefined {
    const [time, wall] = [this.#value('time'), this.#value('wall')];
    return typeof time === 'number' && typeof wall === 'number' ? { time, wall } : undefined;
  }

  setClock({ time, wall }: ClockState): void {
    this.#database.batch(() => {
      this.#set('time', time);
      this.#set('wall', wall);
    });
  }

  #value(key: string): unknown {
    return this.#database.get('SELECT value FROM meta WHERE key = ?', key)?.['value'];
  }

  #set(key: string, value: string | number): void {
    this.#database.run('INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)', key, value);
  }
}
