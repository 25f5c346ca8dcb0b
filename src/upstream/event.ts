import type { Kind } from '../core/kind.ts';

/** What the upstream floor tells about itself; `host` is the upstream's configured name. */
export type UpstreamEvent = { readonly host: string } & (
  | {
      readonly type: 'request';
      readonly kind: Kind;
      readonly method: string;
      /** The status, or `timeout`, `dns`, `tls`, `refused`, `reset`, `private`, `invalid` when there was none, `content` when the body that was to be sent broke. */
      readonly code: string;
      /** Until the headers, or the failure. */
      readonly seconds: number;
    }
  | { readonly type: 'received'; readonly kind: Kind; readonly bytes: number }
  | { readonly type: 'load'; readonly inFlight: number; readonly waiting: number }
  | { readonly type: 'retry'; readonly reason: string }
  | { readonly type: 'circuit'; readonly open: boolean }
  | { readonly type: 'token'; readonly result: 'ok' | 'denied' | 'error' }
  | {
      readonly type: 'budget';
      readonly limit: number;
      readonly remaining: number;
      readonly windowSeconds: number | undefined;
    }
  | { readonly type: 'rate-limited'; readonly retryAfter: number | undefined }
);
