import type { Digest } from '../core/digest.ts';
import { formatReference, type Repository } from '../core/reference.ts';
import type { Link, LinkStore } from '../store/links.ts';

export interface LastingLinksOptions {
  readonly links: LinkStore;
  /** Milliseconds after which what could not be written is tried again, twice as many each time. */
  readonly retryAfter?: number;
}

/** Links that could not be written are written later: when there is room again, or at the latest at the end. */
export interface LastingLinks extends LinkStore {
  /** A last attempt; from then on nothing is tried again. */
  close(): Promise<void>;
}

interface Unwritten {
  readonly repository: Repository;
  readonly digest: Digest;
}

const RETRY_AFTER = 5_000;
const LONGEST_WAIT = 60_000;

/** Links remembered as unwritten; one that is forgotten costs a HEAD after a restart. */
const MOST = 10_000;

/**
 * `set` fails as it does without this, and what failed is tried again in the background. Until then
 * the link is in memory alone.
 */
export function lastingLinks(options: LastingLinksOptions): LastingLinks {
  const { links, retryAfter = RETRY_AFTER } = options;
  const unwritten = new Map<string, Unwritten>();
  let timer: NodeJS.Timeout | undefined;
  let closed = false;

  const plan = (after: number): void => {
    if (closed || timer !== undefined || unwritten.size === 0) return;
    timer = setTimeout(() => {
      timer = undefined;
      void write().then(() => plan(Math.min(after * 2, LONGEST_WAIT)));
    }, after).unref();
  };

  /** Until the first failure: what keeps one from being written keeps the others from it as well. */
  const write = async (): Promise<void> => {
    for (const [key, { repository, digest }] of unwritten) {
      try {
        const link = await links.get(repository, digest);
        if (link !== undefined) await links.set(repository, digest, link);
        unwritten.delete(key);
      } catch {
        // Told when it happened first; nothing has changed.
        return;
      }
    }
  };

  return {
    ...links,
    async set(repository: Repository, digest: Digest, link: Link) {
      const key = formatReference(repository, digest);
      try {
        await links.set(repository, digest, link);
        unwritten.delete(key);
      } catch (error) {
        if (unwritten.size < MOST) unwritten.set(key, { repository, digest });
        plan(retryAfter);
        throw error;
      }
    },
    async close() {
      closed = true;
      clearTimeout(timer);
      await write();
    },
  };
}
