import { headerOf, type HttpRequest, type HttpResponse } from './exchange.ts';
import { invalid, type Subject } from './failure.ts';
import type { Origin } from './refusal.ts';

const MOST = 10;
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

/** What goes along to another host: nothing that could identify us. */
const HARMLESS: ReadonlySet<string> = new Set(['accept', 'accept-encoding', 'range', 'user-agent']);

export interface Followed {
  readonly response: HttpResponse;
  readonly origin: Origin;
  /** Who answered in the end. */
  readonly subject: Subject;
}

/**
 * Sends a request and follows where it is redirected, ten times at most. Other hosts get no
 * credentials and none of the configured headers; the way from https leads to https only. Where
 * redirects lead is told to nobody: such URLs are often signed.
 * @throws UpstreamError UPSTREAM_INVALID
 */
export async function follow(
  send: (request: HttpRequest, subject: Subject) => Promise<HttpResponse>,
  first: HttpRequest,
  subject: Subject,
): Promise<Followed> {
  let url = first.url;
  let response = await send(first, subject);
  let origin: Origin = 'endpoint';
  let dialled = subject;
  for (let count = 0; REDIRECTS.has(response.status); count += 1) {
    using leaving = response;
    if (count === MOST) throw invalid(subject, `redirected more than ${MOST} times`);
    url = target(headerOf(leaving.headers, 'location'), url, subject);
    if (url.host !== first.url.host) origin = 'elsewhere';
    const headers = origin === 'endpoint' ? first.headers : harmless(first.headers);
    dialled = { ...subject, dialled: url.host };
    response = await send({ ...first, url, headers }, dialled);
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
