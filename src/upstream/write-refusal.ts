import type { ErrorCode } from '../core/errors.ts';
import { saidBy, type Said } from './error-body.ts';
import type { HttpResponse } from './exchange.ts';
import { describe, hintsOf, UpstreamError, type Subject } from './failure.ts';
import { plainly, refusal, type Origin } from './refusal.ts';

/** Codes of the error document that mean to a writer what they mean here. */
const TAKEN: ReadonlySet<string> = new Set<ErrorCode>([
  'BLOB_UNKNOWN',
  'BLOB_UPLOAD_INVALID',
  'BLOB_UPLOAD_UNKNOWN',
  'DENIED',
  'DIGEST_INVALID',
  'MANIFEST_BLOB_UNKNOWN',
  'MANIFEST_INVALID',
  'MANIFEST_UNKNOWN',
  'NAME_INVALID',
  'NAME_UNKNOWN',
  'SIZE_INVALID',
  'TAG_INVALID',
  'UNSUPPORTED',
]);

/** What a status means where the registry says no more; the others are UPSTREAM_INVALID. */
const MEANT: Readonly<Record<number, ErrorCode>> = {
  405: 'UNSUPPORTED',
  413: 'SIZE_INVALID',
  416: 'BLOB_UPLOAD_INVALID',
  501: 'UNSUPPORTED',
};

/**
 * The error that a refused write means. Unlike readers, writers are told the registry's own words:
 * there is no telling without them what is wrong with what was sent.
 */
export async function writeRefusal(
  response: HttpResponse,
  subject: Subject,
  origin: Origin,
): Promise<UpstreamError> {
  using closing = response;
  const { status } = closing;
  const said = (await saidBy(closing)) ?? [];
  const nature = { reason: String(status), retry: 'useless', reached: 'yes' } as const;
  const words = said.map(({ code, message }) => `${code} ${message}`.trim()).join('; ');
  const quoted = words === '' ? '' : ` (${words})`;
  const at = describe(subject);
  if (status === 408 || status === 429 || (status >= 500 && status !== 501)) {
    const { code, message, reason, retry, reached, retryAfter } = await refusal(
      closing,
      subject,
      origin,
    );
    // Some fail at what they might have refused, and say what is wrong with it all the same.
    const meant = status === 429 ? undefined : said.map((one) => one.code).find(isTaken);
    return new UpstreamError(
      meant ?? code,
      meant === undefined
        ? `${message}${quoted}`
        : `${at}: the registry refused it with ${status}${quoted}`,
      { reason, retry, reached },
      retryAfter === undefined ? {} : { retryAfter },
    );
  }
  if (status === 401 || status === 403) {
    const message = `${at}: no right to change it${quoted}; ${hintsOf(subject).denied}`;
    return new UpstreamError('DENIED', message, nature);
  }
  const code = codeOf(status, said, subject);
  const message = `${at}: the registry refused it with ${status}${quoted}${plainly(status, subject)}`;
  return new UpstreamError(code, message, nature);
}

function codeOf(status: number, said: readonly Said[], subject: Subject): ErrorCode {
  const own = said.map(({ code }) => code).find(isTaken);
  if (own !== undefined) return own;
  if (status === 404) return subject.kind === 'blob' ? 'BLOB_UNKNOWN' : 'MANIFEST_UNKNOWN';
  return MEANT[status] ?? 'UPSTREAM_INVALID';
}

function isTaken(code: string): code is ErrorCode {
  return TAKEN.has(code);
}
