import type { Counter } from 'prom-client';

type Labels = Readonly<Record<string, string | number>>;

interface Entry {
  readonly labels: Labels;
  count: number;
}

/**
 * Counts for a counter, which is told only when somebody looks: telling it costs microseconds each
 * time, most of them for the labels, and a request has many things to count.
 */
export class Tally {
  readonly #entries = new Map<string, Entry>();

  /** `key` stands for the labels: equal keys, equal labels. */
  add(key: string, labels: () => Labels, count: number): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) this.#entries.set(key, { labels: labels(), count });
    else entry.count += count;
  }

  tell(counter: Counter): void {
    for (const entry of this.#entries.values()) {
      if (entry.count > 0) counter.inc({ ...entry.labels }, entry.count);
      entry.count = 0;
    }
  }
}
