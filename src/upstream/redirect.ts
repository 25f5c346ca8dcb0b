import { headerOf, type HttpRequest, type HttpResponse } from './exchange.ts';
import { invalid, type Subject } from './failure.ts';
import type { Origin } from './refusal.ts';

const MOST = 10;
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

/** What goes along to another host: nothing that could identify us. */
const HARMLESS: ReadonlySet<string> = new Set([
  'accept',
  'accept-encoding',
  'content-range',
  'content-type',
  'range',
  'user-agent',
  'via',
]);

/** Those that keep method and body (RFC 9110 section 15.4). */
const KEEPING: ReadonlySet<number> = new Set([307, 308]);

export function isRedirect(status: number): boolean {
  return REDIRECTS.has(status);
}

export interface Followed {
  readonly response: HttpResponse;
  readonly origin: Origin;
  /** Who answered in the end. */
  readonly subject: Subject;
}

/**
 * Sends a request and follows where it is redirected, ten times at most. Other hosts get no
 * credentials and none of the configured headers; the way from https leads to https only. Where
 * redirects lead is told to nobody: such URLs are often signed. What changes something is sent again
 * only where the redirect says so.
 * @param home host and port of the endpoint, whom the first request need not be for
 * @throws UpstreamError UPSTREAM_INVALID
 */
export async function follow(
  send: (request: HttpRequest, subject: Subject) => Promise<HttpResponse>,
  first: HttpRequest,
  home: string,
  subject: Subject,
): Promise<Followed> {
  let { url } = first;
  let origin: Origin = url.host === home ? 'endpoint' : 'elsewhere';
  let dialled = { ...subject, dialled: url.host };
  const headersNow = () => (origin === 'endpoint' ? first.headers : harmless(first.headers));
  let response = await send({ ...first, headers: headersNow() }, dialled);
  for (let count = 0; isRedirect(response.status); count += 1) {
    using leaving = response;
    const reads = first.method === 'GET' || first.method === 'HEAD';
    if (!reads && !KEEPING.has(leaving.status)) {
      throw invalid(subject, `redirected ${first.method} by ${leaving.status}, which loses it`);
    }
    if (count === MOST) throw invalid(subject, `redirected more than ${MOST} times`);
    url = target(headerOf(leaving.headers, 'location'), url, subject);
    if (url.host !== home) origin = 'elsewhere';
    dialled = { ...subject, dialled: url.host };
    response = await send({ ...first, url, headers: headersNow() }, dialled);
  }
  return { response, origin, subject: dialled };
}

function target(location: string | undefined, from: URL, subject: Subject): URL {
  const url = location === undefined ? null : URL.parse(location, from.href);
  if (url === null) throw invalid(subject, 'redirected to nowhere');
  if (url.protocol !== 'https:' && (url.protocol !== 'http:' || from.protocol === 'https:')) {
    throw invalid(subject, `redirected from ${from.protocol} to ${url.protocol}, refused`);
  }
  return url;
}

function harmless(headers: HttpRequest['headers']): HttpRequest['headers'] {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => HARMLESS.has(name)));
}
