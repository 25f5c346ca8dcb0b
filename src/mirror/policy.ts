/** How a tag's meaning ages. Times in milliseconds. */
export interface TagPolicy {
  /** Believed for so long without asking. */
  readonly freshFor: number;
  /** How long a client waits for the upstream's word when an older answer is at hand. */
  readonly revalidateWithin: number;
  readonly whenUnreachable: 'serve-stale' | 'fail';
  readonly whenDeleted: 'keep' | 'follow';
  /** A definitive "not there" is remembered for so long. */
  readonly notFoundFor: number;
}
