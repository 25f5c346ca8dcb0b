import type { Digest } from '../../core/digest.ts';
import type { ErrorCode } from '../../core/errors.ts';

/** How a run went on; each is a JSON object as it is. Sizes in bytes. */
export type PrefetchEvent =
  /** A pattern, and how many of the repository's tags fit it. */
  | {
      readonly type: 'expanded';
      readonly pattern: string;
      readonly matched: number;
      readonly of: number;
    }
  | { readonly type: 'image-started'; readonly image: string }
  | {
      readonly type: 'blob-started';
      readonly digest: Digest;
      readonly size: number;
      readonly image: string;
    }
  | { readonly type: 'blob-progress'; readonly digest: Digest; readonly bytes: number }
  | {
      readonly type: 'blob-done';
      readonly digest: Digest;
      readonly size: number;
      readonly how: 'held' | 'fetched' | 'left-out' | 'failed';
    }
  | {
      readonly type: 'image-done';
      readonly image: string;
      readonly digest: Digest;
      readonly fetched: Amount;
      readonly held: Amount;
      /** What the user should know of it although it is all here. */
      readonly notes: readonly string[];
    }
  | ({ readonly type: 'image-failed' } & PrefetchFailure);

export interface Amount {
  readonly blobs: number;
  readonly bytes: number;
}

export interface PrefetchFailure {
  /** As it was asked for. */
  readonly image: string;
  readonly code: ErrorCode;
  readonly reason: string;
}

/** Whether its registry says that it does not have it, or says so by not letting anybody look. */
export function isAbsent({ code }: PrefetchFailure): boolean {
  const codes: readonly ErrorCode[] = [
    'MANIFEST_UNKNOWN',
    'NAME_UNKNOWN',
    'UNAUTHORIZED',
    'DENIED',
  ];
  return codes.includes(code);
}

/** What a run came to. Blobs include manifests. */
export interface PrefetchSummary {
  /** Of which everything that was asked for is here. */
  readonly complete: number;
  readonly fetched: Amount;
  readonly held: Amount;
  readonly failures: readonly PrefetchFailure[];
}
