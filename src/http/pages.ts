import { Hono } from 'hono';
import { RegistryError } from '../core/errors.ts';
import type { Fields } from './answer.ts';
import { describeError, errorBody } from './errors.ts';
import type { Exchange } from './exchange.ts';
import type { Probes } from './probes.ts';

/** What the mirror says of itself to whoever sets up clients. No addresses and no credentials. */
export interface Known {
  readonly version: string;
  /** Where names go that say no registry. */
  readonly defaultUpstream: string | undefined;
  readonly upstreams: readonly { readonly host: string; readonly aliases: readonly string[] }[];
}

export interface PagesOptions {
  /** Asked once a request. Left out: nothing is said. */
  readonly known?: () => Known;
  /** Why no traffic should come here at the moment; `undefined` when it may. */
  readonly ready: () => Promise<string | undefined>;
  readonly metrics: { readonly contentType: string; render(): Promise<string> };
}

export type Pages = Hono<{ Bindings: { readonly exchange: Exchange } }>;

/** Paths that machines ask again and again: their requests are no news. */
export const PROBES: ReadonlySet<string> = new Set(['/livez', '/readyz', '/metrics']);

/** Pages ask no upstream, so none limits them. */
const NO_UPSTREAM = { whenRateLimited: 429 } as const;

const JSON_TYPE = { contentType: 'application/json' } as const;

/** Everything outside of the distribution API: for people, for probes and for Prometheus. */
export function createPages(options: PagesOptions & { readonly probes: Probes }): Pages {
  const { ready, metrics, probes, known } = options;
  const pages: Pages = new Hono();
  pages.get('/', () =>
    answer('Layover, a caching mirror of container registries. Its API is below /v2/.\n'),
  );
  pages.get('/livez', () => answer('ok\n'));
  pages.get('/readyz', async () => {
    const reason = await ready();
    return reason === undefined ? answer('ok\n') : answer(`${reason}\n`, { status: 503 });
  });
  pages.get('/metrics', async () =>
    answer(await metrics.render(), { contentType: metrics.contentType }),
  );
  pages.get('/api/v1/upstreams', () => {
    if (known === undefined) throw new RegistryError('NOT_FOUND');
    return answer(JSON.stringify(known()), JSON_TYPE);
  });
  pages.get('/api/v1/probes/:id', (context) =>
    answer(JSON.stringify({ seen: probes.sightings(context.req.param('id')) }), JSON_TYPE),
  );
  pages.notFound(() => {
    throw new RegistryError('NOT_FOUND');
  });
  pages.onError((error, context) => errorPage(error, context.env.exchange));
  return pages;
}

/** The error document of a page, which the exchange is told of. */
export function errorPage(error: unknown, exchange: Exchange): Response {
  const { told, failure, fields } = describeError(error, NO_UPSTREAM);
  exchange.failure = failure;
  const text = errorBody(told.code, told.message, told.detail);
  return answer(text, { status: told.status, fields });
}

interface AnswerOptions {
  readonly status?: number;
  readonly contentType?: string;
  readonly fields?: Fields;
}

/** With its length, which HEAD has no body to tell by (RFC 9110 section 9.3.2). */
function answer(text: string, options: AnswerOptions = {}): Response {
  const { status = 200, contentType = 'text/plain; charset=UTF-8', fields } = options;
  const headers = new Headers({ 'Content-Type': contentType });
  for (const [name, value] of Object.entries(fields ?? {})) headers.set(name, `${value}`);
  headers.set('Content-Length', `${Buffer.byteLength(text)}`);
  return new Response(text, { status, headers });
}
