import type { ErrorCode } from '../core/errors.ts';
import type { Kind } from '../core/kind.ts';
import type { Repository } from '../core/reference.ts';
import type { Served, ServedResult } from '../core/served.ts';

/** What a request was for: a label, so bounded. `probe` is what machines ask about health. */
export type Route = 'base' | 'catalog' | Kind | 'uploads' | 'page' | 'probe' | 'other';

/** What went wrong, as the client was told. */
export interface Failure {
  readonly code: ErrorCode;
  readonly message: string;
  /** The error itself where it says more than the client should know. */
  readonly cause?: unknown;
}

/** All that is logged of a request. Never in here: Authorization, cookies, the query. */
export interface RequestRecord {
  readonly requestId: string;
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  /** 499 when it was over before the client got one. */
  readonly status: number;
  /** `cut`: broken off on purpose, because it could not be completed right. */
  readonly outcome: 'complete' | 'client-gone' | 'cut';
  /** Of the body, given to the socket. */
  readonly bytes: number;
  readonly durationMs: number;
  readonly firstByteMs: number;
  readonly route: Route;
  readonly ns: string | undefined;
  readonly upstream: string | undefined;
  readonly repository: string | undefined;
  /** The tag or digest asked for, whole. */
  readonly reference: string | undefined;
  readonly cache: ServedResult | undefined;
  readonly client: string | undefined;
  readonly userAgent: string | undefined;
  readonly failure: Failure | undefined;
}

/** What is known of a request while it runs. */
export interface Running {
  readonly route: Route;
  readonly kind: Kind | undefined;
  readonly repository: Repository | undefined;
  readonly served: Served | undefined;
  /** Set when what is sent is an error document. */
  readonly failure: Failure | undefined;
}

/** Told of every request: once when it has been read, for every chunk that went out, and once at its end. */
export interface Observer {
  started(running: Running): void;
  sent(running: Running, bytes: number): void;
  ended(running: Running, record: RequestRecord): void;
}
