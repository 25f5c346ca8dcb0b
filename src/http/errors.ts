import { RegistryError, type ErrorCode } from '../core/errors.ts';
import { isCount, isRecord } from '../core/shape.ts';
import { uploadRange, type Fields } from './answer.ts';
import type { Exchange } from './exchange.ts';
import { ClientGone } from './messages.ts';
import type { Failure } from './observe.ts';

export interface ErrorOptions {
  /** What a rate-limited upstream is answered with: containerd hammers a 429, podman waits for it. */
  readonly whenRateLimited: 429 | 503;
}

/** Seconds after which a client may come back whom nobody told when: what stands behind a redirect limits its rate. */
const LATER = 5;

/** What a client is told of something thrown, and what the log is. */
export interface Described {
  readonly told: RegistryError;
  readonly failure: Failure;
  readonly fields: Readonly<Record<string, string>>;
}

/** The distribution specification's error document ("Error Codes"). */
export function errorBody(code: ErrorCode, message: string, detail?: unknown): string {
  return JSON.stringify({ errors: [{ code, message, detail }] });
}

/**
 * The one place where something thrown becomes an answer. An answer that is on its way already is
 * cut; a client that has left, or has its answer, is told nothing.
 */
export function fail(exchange: Exchange, error: unknown, options: ErrorOptions): void {
  if (error instanceof ClientGone || exchange.closed || exchange.answered) return;
  const { told, failure, fields } = describeError(error, options);
  if (exchange.begun) {
    exchange.failure = { ...failure, cause: error };
    exchange.cut();
    return;
  }
  exchange.failure = failure;
  exchange.served = told.served ?? exchange.served;
  const { code, message, detail } = told;
  const after = { ...fields, ...uploadFields(exchange, told) };
  exchange.answer(told.status, after, errorBody(code, message, detail));
}

/** What is answered to whoever asked, and what the log has of it: of a fault of ours its cause, which no answer tells. */
export function describeError(error: unknown, options: ErrorOptions): Described {
  const told = toRegistryError(error, options);
  const { code, message } = told;
  const cause = told === error && told.status < 500 ? undefined : { cause: error };
  return { told, failure: { code, message, ...cause }, fields: fieldsOf(told) };
}

function toRegistryError(error: unknown, { whenRateLimited }: ErrorOptions): RegistryError {
  if (!(error instanceof RegistryError)) return new RegistryError('UNKNOWN');
  const code = clientCode(error.code, whenRateLimited);
  if (code === error.code) return error;
  const { message, detail, retryAfter, served } = error;
  return new RegistryError(code, message, {
    detail,
    ...(retryAfter !== undefined && { retryAfter }),
    ...(served !== undefined && { served }),
  });
}

function clientCode(code: ErrorCode, whenRateLimited: 429 | 503): ErrorCode {
  if (code === 'TOOMANYREQUESTS' || code === 'RATE_LIMITED') {
    return whenRateLimited === 429 ? 'TOOMANYREQUESTS' : 'RATE_LIMITED';
  }
  // An upstream's 401 is about credentials that no client may be asked for here.
  return code === 'UNAUTHORIZED' ? 'DENIED' : code;
}

function fieldsOf({
  code,
  status,
  detail,
  retryAfter,
}: RegistryError): Readonly<Record<string, string>> {
  const size = code === 'RANGE_INVALID' ? countIn(detail, 'size') : undefined;
  const limited = code === 'TOOMANYREQUESTS' || code === 'RATE_LIMITED';
  const after = retryAfter ?? (limited ? LATER : undefined);
  return {
    'Content-Type': 'application/json',
    ...(status === 405 && { Allow: allowedIn(detail) }),
    ...(size !== undefined && { 'Content-Range': `bytes */${size}` }),
    ...(after !== undefined && { 'Retry-After': `${Math.max(0, Math.ceil(after))}` }),
  };
}

/** Where an upload goes on that was given bytes for another position. */
function uploadFields({ path }: Exchange, { code, detail }: RegistryError): Fields | undefined {
  const offset = code === 'RANGE_INVALID' ? countIn(detail, 'offset') : undefined;
  return offset === undefined ? undefined : { Location: path, Range: uploadRange(offset) };
}

function countIn(detail: unknown, key: string): number | undefined {
  const value = isRecord(detail) ? detail[key] : undefined;
  return isCount(value) ? value : undefined;
}

function allowedIn(detail: unknown): string {
  const allow = isRecord(detail) ? detail['allow'] : undefined;
  return Array.isArray(allow) ? allow.join(', ') : 'GET, HEAD';
}
