/** Where a value was said. Lines and columns count from 1. */
export type Origin =
  | { readonly kind: 'default' }
  | {
      readonly kind: 'file';
      readonly file: string;
      readonly line: number;
      readonly column: number;
    }
  | { readonly kind: 'environment'; readonly variable: string }
  | { readonly kind: 'flag'; readonly flag: string };

/** One thing that is wrong: where, with which key (`upstreams.docker.io.url`, empty for none), and what. */
export interface Fault {
  readonly origin: Origin;
  readonly key: string;
  readonly message: string;
}

/** `path/to/file.yaml:3:9 tags.freshFor: …`, `LAYOVER_LISTEN: …`, `--listen: …`. */
export function formatFault({ origin, key, message }: Fault): string {
  switch (origin.kind) {
    case 'default':
      return `${key}: ${message}`;
    case 'file': {
      const place = `${origin.file}:${origin.line}:${origin.column}`;
      return key === '' ? `${place}: ${message}` : `${place} ${key}: ${message}`;
    }
    case 'environment':
      return `${origin.variable}: ${message}`;
    case 'flag':
      return `${origin.flag}: ${message}`;
  }
}

const KINDS = ['file', 'environment', 'flag', 'default'] as const;

/** In the order in which people mend them: by line, then the environment, flags, and the rest. */
export function byPlace(a: Fault, b: Fault): number {
  if (a.origin.kind === 'file' && b.origin.kind === 'file') {
    return a.origin.line - b.origin.line || a.origin.column - b.origin.column;
  }
  return KINDS.indexOf(a.origin.kind) - KINDS.indexOf(b.origin.kind);
}

/** The configuration cannot be used. Holds every fault; the message has one on each line. */
export class ConfigError extends Error {
  readonly faults: readonly Fault[];

  constructor(faults: readonly Fault[]) {
    const count = faults.length === 1 ? 'a fault' : `${faults.length} faults`;
    super([`the configuration has ${count}:`, ...faults.map(formatFault)].join('\n  '));
    this.name = 'ConfigError';
    this.faults = faults;
  }
}
