import { ERRORS, type ErrorCode } from '../core/errors.ts';
import type { Kind } from '../core/kind.ts';
import type { Credentials } from './credentials.ts';
import { saidBy, type Said } from './error-body.ts';
import { headerOf, type HttpResponse } from './exchange.ts';
import { describe, hintsOf, UpstreamError, type Subject } from './failure.ts';
import { LONGEST_WAIT, parseRetryAfter } from './retry-after.ts';

/** What is not there when a registry answers 404, unless it says otherwise. */
const UNKNOWN: Readonly<Record<Kind, ErrorCode>> = {
  manifest: 'MANIFEST_UNKNOWN',
  blob: 'BLOB_UNKNOWN',
  tags: 'NAME_UNKNOWN',
  referrers: 'MANIFEST_UNKNOWN',
};

/** Where an answer came from: the endpoint itself, or a host that it redirected to. */
export type Origin = 'endpoint' | 'elsewhere';

/**
 * The error that a refusing response means. Reads what the response says, and lets it go.
 * @param origin a 404 of storage behind a redirect is never the registry's word
 */
export async function refusal(
  response: HttpResponse,
  subject: Subject,
  origin: Origin,
): Promise<UpstreamError> {
  using closing = response;
  const { status, headers } = closing;
  const wished = parseRetryAfter(headerOf(headers, 'retry-after'), Date.now());
  const retryAfter = wished === undefined ? undefined : Math.min(wished, LONGEST_WAIT);
  const at = describe(subject);
  const nature = { reason: String(status), retry: 'useless', reached: 'yes' } as const;
  const later = retryAfter === undefined ? {} : { retryAfter };
  if (status === 404 || status === 410) {
    const says = saysRegistry(closing, origin);
    const said = origin === 'endpoint' ? await saidBy(closing) : undefined;
    const code = said?.some(({ code }) => code === 'NAME_UNKNOWN')
      ? 'NAME_UNKNOWN'
      : UNKNOWN[subject.kind];
    const definitive = said !== undefined || says;
    const what = subject.name === undefined ? 'not there' : `${subject.name} is not there`;
    const message = `${at}: ${what}${quoted(said)}`;
    return new UpstreamError(code, message, { ...nature, said }, { definitive });
  }
  if (status === 401 || status === 403) {
    return new UpstreamError('DENIED', denied(subject), nature);
  }
  if (status === 451) {
    const message = `${at}: withheld by the upstream for legal reasons (451)`;
    return new UpstreamError('DENIED', message, nature);
  }
  if (status === 429) {
    const wait = wished === undefined ? '' : `, again after ${wished} s`;
    const message = `${at}: the upstream limits its rate${wait}; ${hintsOf(subject).limited}`;
    return new UpstreamError('TOOMANYREQUESTS', message, nature, later);
  }
  if (status === 508) {
    const message = `${at}: the upstream leads in a circle, back to a mirror that asked it; check its address`;
    return new UpstreamError('LOOP_DETECTED', message, nature);
  }
  if (status === 408 || status >= 500) {
    const lasting = status === 501 || status === 505 || retryAfter !== undefined;
    const retry = lasting ? 'useless' : 'worthwhile';
    const message = `${at}: the upstream answered ${status}; try again later`;
    return new UpstreamError('UPSTREAM_UNAVAILABLE', message, { ...nature, retry }, later);
  }
  return new UpstreamError(
    'UPSTREAM_INVALID',
    `${at}: the upstream answered ${status}, which makes no sense here${plainly(status, subject)}`,
    nature,
  );
}

/** What may help where a server answers 400 from the start: that is what one with TLS says to who speaks none. */
export function plainly(status: number, subject: Subject): string {
  return status === 400 && subject.meeting === 'plain' ? `; ${hintsOf(subject).plain}` : '';
}

/** Credentials were shown, and somebody does not take them. @param reason for the events */
export function notTaken(
  subject: Subject,
  reason: string,
  { from }: Pick<Credentials, 'from'> = {},
): UpstreamError {
  const found = from === undefined ? '' : ` of ${from}`;
  const message = `${describe(subject)}: ${subject.dialled} refuses the user name and password${found}; ${hintsOf(subject).refused}`;
  return new UpstreamError('DENIED', message, { reason, retry: 'useless', reached: 'yes' });
}

/** What registries mean by 401 and 403 alike, wherever they say it. */
export function denied(subject: Subject): string {
  return `${describe(subject)}: not found, or access denied by the upstream; ${hintsOf(subject).denied}`;
}

/** What the registry says beyond what every registry says. */
function quoted(said: readonly Said[] | undefined): string {
  const words = said?.map(({ message }) => message.trim()).filter((text) => !USUAL.has(text)) ?? [];
  return words.length === 0 ? '' : ` (${words.join('; ')})`;
}

const USUAL: ReadonlySet<string> = new Set([
  '',
  'manifest unknown',
  ...Object.values(ERRORS).map(({ message }) => message),
]);

/** The answer to HEAD has no body to judge by; a registry's own header must do. */
function saysRegistry({ headers, body }: HttpResponse, origin: Origin): boolean {
  return (
    origin === 'endpoint' &&
    body.expectsNothing &&
    headerOf(headers, 'docker-distribution-api-version') !== undefined
  );
}
