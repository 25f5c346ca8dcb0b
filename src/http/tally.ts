import type { Counter } from 'prom-client';

type Value = string | number;

interface Branch {
  count: number;
  readonly next: Map<Value, Branch>;
}

/**
 * Counts for a counter, which is told only when somebody looks: telling it costs microseconds each
 * time, and a request has many things to count. One map a label, one in the other, as a key made of all
 * labels would have to be made, and hashed, at every count.
 */
export class Tally {
  readonly #labelNames: readonly string[];
  readonly #root: Branch = { count: 0, next: new Map() };

  /** @param labelNames of the counter, in the order in which `add` gets their values */
  constructor(labelNames: readonly string[]) {
    this.#labelNames = labelNames;
  }

  add(count: number, first: Value, second: Value, third: Value): void {
    branch(branch(branch(this.#root, first), second), third).count += count;
  }

  tell(counter: Counter): void {
    this.#tell(counter, this.#root, {}, 0);
  }

  #tell(counter: Counter, at: Branch, labels: Record<string, Value>, depth: number): void {
    if (at.count > 0) counter.inc(labels, at.count);
    at.count = 0;
    const name = this.#labelNames[depth];
    if (name === undefined) return;
    for (const [value, next] of at.next) {
      this.#tell(counter, next, { ...labels, [name]: value }, depth + 1);
    }
  }
}

function branch({ next }: Branch, value: Value): Branch {
  let found = next.get(value);
  if (found === undefined) next.set(value, (found = { count: 0, next: new Map() }));
  return found;
}
