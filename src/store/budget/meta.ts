import type { ClockState } from './clock.ts';
import type { IndexDatabase } from './index-database.ts';
import type { Stretch } from './past.ts';

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

/** Notes of the index about itself, the store's clock, and how the system's has gone. */
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

  get past(): readonly Stretch[] {
    const [text, to] = [this.#value('past'), this.#value('past-to')];
    const stretches = typeof text === 'string' ? parseStretches(text) : [];
    const last = stretches.at(-1);
    if (last === undefined || typeof to !== 'number' || to < last.to) return stretches;
    return [...stretches.slice(0, -1), { ...last, to }];
  }

  /** Writes little as long as the last of them only grows. */
  setPast(stretches: readonly Stretch[]): void {
    const last = stretches.at(-1);
    if (last === undefined) return;
    const begun = `${stretches.length} ${last.from}`;
    this.#database.batch(() => {
      this.#set('past-to', last.to);
      if (this.#value('past-begun') === begun) return;
      this.#set('past', JSON.stringify(stretches));
      this.#set('past-begun', begun);
    });
  }

  #value(key: string): unknown {
    return this.#database.get('SELECT value FROM meta WHERE key = ?', key)?.['value'];
  }

  #set(key: string, value: string | number): void {
    this.#database.run('INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)', key, value);
  }
}

/** As `setPast` wrote them; none for what is anything else. */
function parseStretches(text: string): readonly Stretch[] {
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) && value.every(isStretch) ? value : [];
  } catch {
    return [];
  }
}

function isStretch(value: unknown): value is Stretch {
  if (typeof value !== 'object' || value === null) return false;
  const known: Partial<Record<string, unknown>> = { ...value };
  return ['from', 'to', 'pause'].every((key) => Number.isFinite(known[key]));
}
