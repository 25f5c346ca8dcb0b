import { Hono } from 'hono';
import { RegistryError } from '../core/errors.ts';
import { describeError, errorBody, type ErrorOptions } from './errors.ts';
import type { Exchange } from './exchange.ts';

export interface PagesOptions extends ErrorOptions {
  /** Why no traffic should come here at the moment; `undefined` when it may. */
  readonly ready: () => Promise<string | undefined>;
  readonly metrics: { readonly contentType: string; render(): Promise<string> };
}

export type Pages = Hono<{ Bindings: { readonly exchange: Exchange } }>;

/** Paths that machines ask again and again: their requests are no news. */
export const PROBES: ReadonlySet<string> = new Set(['/livez', '/readyz', '/metrics']);

/** Everything outside of the distribution API: for people, for probes and for Prometheus. */
export function createPages(options: PagesOptions): Pages {
  const { ready, metrics } = options;
  const pages: Pages = new Hono();
  pages.get('/', (context) =>
    context.text('Layover, a caching mirror of container registries. Its API is below /v2/.\n'),
  );
  pages.get('/livez', (context) => context.text('ok\n'));
  pages.get('/readyz', async (context) => {
    const reason = await ready();
    return reason === undefined ? context.text('ok\n') : context.text(`${reason}\n`, 503);
  });
  pages.get('/metrics', async (context) =>
    context.body(await metrics.render(), 200, { 'Content-Type': metrics.contentType }),
  );
  pages.notFound(() => {
    throw new RegistryError('NOT_FOUND');
  });
  pages.onError((error, context) => {
    const { told, failure, fields } = describeError(error, options);
    context.env.exchange.failure = failure;
    return new Response(errorBody(told.code, told.message, told.detail), {
      status: told.status,
      headers: { ...fields },
    });
  });
  return pages;
}
