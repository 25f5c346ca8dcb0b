/** How a cache answered, told alike by HTTP (`Cache-Status`), metrics and the command line. */
export type ServedResult =
  | 'hit'
  | 'miss'
  | 'joined'
  | 'revalidated'
  | 'stale'
  | 'negative'
  | 'bypass'
  | 'error';

export interface Served {
  readonly result: ServedResult;
  /** Whether what was fetched is kept. */
  readonly stored?: boolean;
  /** Seconds for which the answer is believed without asking the upstream again (tags only). */
  readonly ttl?: number;
  /** One word or more on why, for people: `changed`, `unreachable`, `rate-limited`, `gone`. */
  readonly detail?: string;
  /** What the client's user should read (distribution specification, "Warnings"): plain ASCII. */
  readonly warning?: string;
}

/** Carried by every answer of a `Source` that remembers; absent where nothing was cached. */
export interface Answered {
  readonly served?: Served;
}
