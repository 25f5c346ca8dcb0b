import type { Answer } from './answer.ts';
import type { Ask } from './ask.ts';
import type { Effort, Endpoint } from './endpoint.ts';
import { invalid } from './failure.ts';

const LARGEST_PAGE = 8 * 1024 * 1024;
const MOST_PAGES = 10_000;

/** Has one request made when it may be, and in the time that it then has. */
export type Turn = <T>(request: (effort: Effort) => Promise<T>) => Promise<T>;

/**
 * Every page of a listing, by its `Link` headers (RFC 8288, `rel="next"`).
 * @throws UpstreamError UPSTREAM_INVALID for links to another host, in a circle, or without end
 */
export async function* pages(
  endpoint: Endpoint,
  turn: Turn,
  first: Ask,
): AsyncGenerator<{ readonly answer: Answer; readonly bytes: Uint8Array }> {
  const seen = new Set<string>();
  let ask: Ask | undefined = first;
  while (ask !== undefined) {
    const current: Ask = ask;
    const page = await turn((effort) =>
      endpoint.run(current, effort, async (answer) => {
        using read = answer;
        return { answer, bytes: await read.read(LARGEST_PAGE) };
      }),
    );
    yield page;
    seen.add(current.path);
    const path = nextPath(page.answer, endpoint, current);
    if (path !== undefined && (seen.has(path) || seen.size >= MOST_PAGES)) {
      throw invalid(page.answer.subject, 'the pages of the listing go round in circles');
    }
    ask = path === undefined ? undefined : { ...first, path };
  }
}

/** Below the API root, as an `Ask` wants it. */
function nextPath(answer: Answer, endpoint: Endpoint, ask: Ask): string | undefined {
  const reference = nextLink(answer.header('link'));
  if (reference === undefined) return undefined;
  const here = endpoint.urlOf(ask.path);
  const url = URL.parse(reference, here.href);
  // The scheme may differ: registries behind a TLS terminator often think they speak plain HTTP.
  if (url === null || url.hostname !== here.hostname) {
    throw invalid(answer.subject, 'the next page of the listing is on another host, refused');
  }
  const root = endpoint.urlOf('/').pathname;
  if (!url.pathname.startsWith(root)) {
    throw invalid(answer.subject, 'the next page of the listing is outside of the API, refused');
  }
  return `/${url.pathname.slice(root.length)}${url.search}`;
}

/** The target of the first link that is `rel="next"`, or has no relation at all. */
export function nextLink(header: string | undefined): string | undefined {
  const links = (header ?? '').matchAll(/<([^<>]*)>((?:\s*;\s*[^;,<>"]+(?:"[^"]*")?)*)/g);
  for (const [, target, parameters = ''] of links) {
    const [, quoted, bare] = /;\s*rel\s*=\s*(?:"([^"]*)"|([^\s;,]+))/i.exec(parameters) ?? [];
    const relations = (quoted ?? bare)?.toLowerCase().split(/\s+/);
    if (relations === undefined || relations.includes('next')) return target;
  }
  return undefined;
}
