import type { Served } from './served.ts';

/**
 * Every error code Layover answers with, its HTTP status and what it says when nobody says more.
 * The first block is the distribution specification's table ("Error Codes"), the second adds the
 * codes that docker's registry taught clients, the third is Layover's own.
 */
export const ERRORS = {
  BLOB_UNKNOWN: { status: 404, message: 'blob unknown to registry' },
  BLOB_UPLOAD_INVALID: { status: 400, message: 'blob upload invalid' },
  BLOB_UPLOAD_UNKNOWN: { status: 404, message: 'blob upload unknown to registry' },
  DIGEST_INVALID: { status: 400, message: 'digest is malformed or does not match the content' },
  MANIFEST_BLOB_UNKNOWN: { status: 404, message: 'manifest references a blob unknown to registry' },
  MANIFEST_INVALID: { status: 400, message: 'manifest invalid' },
  MANIFEST_UNKNOWN: { status: 404, message: 'manifest unknown to registry' },
  NAME_INVALID: { status: 400, message: 'invalid repository name' },
  NAME_UNKNOWN: { status: 404, message: 'repository name not known to registry' },
  SIZE_INVALID: { status: 400, message: 'length does not match the content' },
  UNAUTHORIZED: { status: 401, message: 'authentication required' },
  DENIED: { status: 403, message: 'access to the resource is denied' },
  UNSUPPORTED: { status: 405, message: 'the operation is unsupported' },
  TOOMANYREQUESTS: { status: 429, message: 'too many requests' },

  RANGE_INVALID: { status: 416, message: 'range not satisfiable' },
  PAGINATION_NUMBER_INVALID: { status: 400, message: 'invalid number of results requested' },
  TAG_INVALID: { status: 400, message: 'invalid tag' },

  NOT_FOUND: { status: 404, message: 'no such endpoint' },
  REQUEST_INVALID: { status: 400, message: 'malformed request' },
  URI_TOO_LONG: { status: 414, message: 'request line or headers too large' },
  OFFLINE: { status: 404, message: 'not in the cache, and this mirror is offline' },
  RATE_LIMITED: { status: 503, message: 'the upstream limits its rate' },
  UPSTREAM_UNAVAILABLE: { status: 502, message: 'the upstream cannot be reached' },
  UPSTREAM_INVALID: { status: 502, message: 'the upstream answered with something unusable' },
  LOOP_DETECTED: { status: 508, message: 'the request has come through this mirror before' },
  UPSTREAM_TIMEOUT: { status: 504, message: 'the upstream did not answer in time' },
  STORAGE_UNAVAILABLE: { status: 503, message: 'the store cannot be used' },
  LAYER_INVALID: { status: 422, message: 'the layer is damaged' },
  FILE_UNKNOWN: { status: 404, message: 'no such file in the image' },
  INTERRUPTED: { status: 499, message: 'interrupted' },
  UNKNOWN: { status: 500, message: 'internal error' },
} as const satisfies Record<string, { status: number; message: string }>;

export type ErrorCode = keyof typeof ERRORS;

export interface ErrorDetails {
  readonly cause?: unknown;
  /** Goes to the client as `detail`: never a secret. */
  readonly detail?: unknown;
  /** Seconds until another attempt makes sense. */
  readonly retryAfter?: number;
  /**
   * `false` for a "not there" that the upstream did not say in so many words (a proxy's 404 page):
   * good enough to answer with, not to remember or to take for a deletion. `true` when left out.
   */
  readonly definitive?: boolean;
  /** The HTTP status where it is not the usual one of the code: SIZE_INVALID is 413 for what is too large. */
  readonly status?: number;
  /** How the failure came about, when a cache is part of the story. */
  readonly served?: Served;
}

/** The one error that crosses floors. Anything else that is thrown is a defect and answers 500. */
export class RegistryError extends Error {
  readonly code: ErrorCode;
  readonly detail: unknown;
  readonly retryAfter: number | undefined;
  readonly definitive: boolean;
  readonly served: Served | undefined;
  readonly status: number;

  constructor(code: ErrorCode, message: string = ERRORS[code].message, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = 'RegistryError';
    this.code = code;
    this.detail = details.detail;
    this.retryAfter = details.retryAfter;
    this.definitive = details.definitive ?? true;
    this.served = details.served;
    this.status = details.status ?? ERRORS[code].status;
  }
}

/** Whether the upstream said that what was asked for does not exist (404), definitively or not. */
export function isUnknown(error: unknown): error is RegistryError {
  return (
    error instanceof RegistryError &&
    (error.code === 'MANIFEST_UNKNOWN' ||
      error.code === 'BLOB_UNKNOWN' ||
      error.code === 'NAME_UNKNOWN')
  );
}

/** What was thrown, as an error: nothing else should be, and everything else can be. */
export function asError(value: unknown): Error {
  return value instanceof Error ? value : new Error(String(value));
}

/** Node's own error code (`ENOENT`, `ENOSPC`, …), the only thing an error may be recognised by. */
export function systemCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}
