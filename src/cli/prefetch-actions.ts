import type { Platform } from '../core/platform.ts';
import type { Finding } from '../image/finder/finding.ts';
import type { PrefetchEvent, PrefetchSummary } from '../image/prefetch/event.ts';
import type { Choices } from './actions.ts';

export interface PrefetchChoices extends Choices {
  /** References, or patterns of tags. */
  readonly images: readonly string[];
  /** Files and folders in which images are named; `-` is standard input. */
  readonly files: readonly string[];
  readonly platforms: readonly Platform[] | 'all';
  readonly referrers: 'left-out' | 'copied';
  readonly maxTags: number;
  readonly mode: 'fetch' | 'look';
}

export interface PrefetchTold {
  readonly signal: AbortSignal;
  /** What `-` is. */
  readonly input: () => Promise<string>;
  /** Told of everything that was found in files. */
  readonly found: (finding: Finding) => void;
  readonly observe: (event: PrefetchEvent) => void;
}

/**
 * Has the server that runs on the store fetch, or does it here where none runs. What was found in files
 * and cannot be used is among the failures.
 * @throws RegistryError REQUEST_INVALID for files that cannot be read, or when there is no image at all
 */
export type Prefetch = (choices: PrefetchChoices, told: PrefetchTold) => Promise<PrefetchSummary>;
