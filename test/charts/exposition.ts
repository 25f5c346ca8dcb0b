/** One metric as Prometheus would know it, by the name that queries use. */
export interface Exposed {
  /** Label by label, the values that were seen. Empty: no sample, or none with labels. */
  readonly labels: ReadonlyMap<string, ReadonlySet<string>>;
  readonly samples: number;
}

/** What `/metrics` says; a histogram is known by the three names that its samples have. */
export function exposedIn(text: string): ReadonlyMap<string, Exposed> {
  const found = new Map<string, { labels: Map<string, Set<string>>; samples: number }>();
  for (const line of text.split('\n')) {
    const [, name, type] = /^# TYPE (\w+) (\w+)$/.exec(line) ?? [];
    if (name === undefined) continue;
    const names =
      type === 'histogram' ? ['_bucket', '_sum', '_count'].map((end) => name + end) : [name];
    for (const one of names) found.set(one, { labels: new Map(), samples: 0 });
  }
  for (const line of text.split('\n')) {
    const [, name = '', shown = ''] = /^(\w+)(?:\{(.*)\})? \S+$/.exec(line) ?? [];
    const metric = found.get(name);
    if (metric === undefined) continue;
    metric.samples += 1;
    for (const [, label = '', value = ''] of shown.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)) {
      const values = metric.labels.get(label) ?? new Set();
      metric.labels.set(label, values.add(value));
    }
  }
  return found;
}
