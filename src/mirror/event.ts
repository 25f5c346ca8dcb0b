import type { Digest } from '../core/digest.ts';
import type { Repository, Tag } from '../core/reference.ts';

/** What the mirror tells about itself; `host` is the upstream's configured name. */
export type MirrorEvent =
  | { readonly type: 'download-started'; readonly host: string; readonly digest: Digest }
  | { readonly type: 'download-joined'; readonly host: string; readonly digest: Digest }
  /** Somebody began to follow a download, or stopped. */
  | { readonly type: 'download-readers'; readonly host: string; readonly change: 1 | -1 }
  /** The upstream was cut, or the mirror restarted: the fill goes on at byte `at`. */
  | {
      readonly type: 'download-resumed';
      readonly host: string;
      readonly digest: Digest;
      readonly at: number;
    }
  | {
      readonly type: 'download-ended';
      readonly host: string;
      readonly digest: Digest;
      /** `unstored`: served right, but there was no room to keep it. */
      readonly result: 'stored' | 'unstored' | 'mismatch' | 'abandoned' | 'failed';
      readonly seconds: number;
      readonly error?: Error;
    }
  | {
      readonly type: 'revalidated';
      readonly host: string;
      readonly result: 'unchanged' | 'changed' | 'gone' | 'error' | 'stale-served';
    }
  /** The upstream says that a tag which is cached means something else now. */
  | {
      readonly type: 'tag-moved';
      readonly host: string;
      readonly repository: Repository;
      readonly tag: Tag;
      readonly digest: Digest;
    }
  | { readonly type: 'storage-operation'; readonly operation: 'commit'; readonly seconds: number }
  /** Something could not be kept; clients were served all the same. */
  | { readonly type: 'storage-error'; readonly operation: string; readonly error: Error }
  /** Stored content was found wrong and set aside. */
  | { readonly type: 'damaged'; readonly digest: Digest; readonly reason: 'size' | 'digest' };
