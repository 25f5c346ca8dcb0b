import { getRequestListener } from '@hono/node-server';
import { Hono, type Context } from 'hono';
import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import { asError, RegistryError } from '../../core/errors.ts';
import { isRecord } from '../../core/shape.ts';
import type { App } from '../app.ts';
import { errorBody } from '../errors.ts';
import type { Administration } from './administration.ts';
import { collectBody, evictBody, patternBody, pruneBody, type Body } from './bodies.ts';
import { importBody } from './import.ts';
import { garbageLines, leavingLines, listed } from './lines.ts';
import { LARGEST_QUERY, prefetchQuery, toldAsItGoes } from './prefetch.ts';

/** The header by which a client says which store it means: addresses are handed on to other servers. */
export const STORE_HEADER = 'Layover-Store';

/** Bytes of a request's body. */
const LARGEST_BODY = 64 * 1024;

/** What the routes get besides the request. */
interface Environment {
  readonly Bindings: { readonly incoming: IncomingMessage };
}

export interface AdminAppOptions {
  /** `undefined` until the store is open. */
  readonly administration: () => Administration | undefined;
  /** The host that the configuration names, which requests may name as well. */
  readonly host: string | undefined;
  readonly onError: (error: Error) => void;
}

/**
 * Administration, to be served on an address of its own. It asks for no login: whoever reaches the
 * address may do everything. A browser is no such one, whatever page it shows: requests with an
 * `Origin`, for another host, or with a body of a type that pages may send unasked are refused.
 */
export function createAdminApp(options: AdminAppOptions): App {
  const routes = routesOf(options);
  const listener = getRequestListener((request, env) => routes.fetch(request, env), {
    overrideGlobalObjects: false,
  });
  return {
    handle: (incoming, outgoing) => void listener(incoming, outgoing),
    // Whoever administers sees it; it is none of the requests that are counted.
    refused: () => {},
    drain: () => {},
    cut: () => 0,
  };
}

function routesOf({ administration, host, onError }: AdminAppOptions): Hono<Environment> {
  const api = new Hono<Environment>();
  const open = (context: Context): Administration => {
    const found = administration();
    if (found === undefined) throw new RegistryError('STORAGE_UNAVAILABLE', 'not open yet');
    const meant = context.req.header(STORE_HEADER);
    if (meant === undefined || decodeURIComponent(meant) === found.store) return found;
    throw new RegistryError('NOT_FOUND', 'another store is served here');
  };
  api.use(async (context, next) => {
    refuseBrowsers(context, host);
    refuseParameters(context);
    await next();
  });
  api.get('/livez', (context) => context.text('ok\n'));
  api.get('/readyz', async (context) => {
    const reason = await open(context).ready();
    return reason === undefined ? context.text('ok\n') : context.text(`${reason}\n`, 503);
  });
  api.get('/api/v1/store', async (context) => context.json(await open(context).figures()));
  api.post('/api/v1/evict', async (context) => {
    const { to, mode } = evictBody(await bodyOf(context));
    const opened = open(context);
    if (mode === 'look') return listed(leavingLines(opened.leaving(to)), onError);
    return context.json(await opened.evict(to));
  });
  api.post('/api/v1/prune', async (context) => {
    const { query, mode } = pruneBody(await bodyOf(context));
    const opened = open(context);
    return context.json(await (mode === 'look' ? opened.planPrune(query) : opened.prune(query)));
  });
  api.post('/api/v1/gc', async (context) => {
    const mode = collectBody(await bodyOf(context));
    const opened = open(context);
    if (mode === 'look') return listed(garbageLines(opened.garbage()), onError);
    return context.json(await opened.collect());
  });
  api.get('/api/v1/pins', async (context) => context.json({ pins: await open(context).pins() }));
  api.post('/api/v1/pins', async (context) => {
    const pattern = patternBody(await bodyOf(context));
    return context.json({ outcome: await open(context).pin(pattern) });
  });
  api.post('/api/v1/unpin', async (context) => {
    const pattern = patternBody(await bodyOf(context));
    return context.json({ outcome: await open(context).unpin(pattern) });
  });
  api.post('/api/v1/prefetch', async (context) => {
    const query = prefetchQuery(await bodyOf(context, LARGEST_QUERY));
    const opened = open(context);
    return toldAsItGoes((run) => opened.prefetch(query, run), onError);
  });
  api.post('/api/v1/import', async (context) => {
    const { query, bytes } = await importBody(context.env.incoming);
    return context.json(await open(context).import(query, bytes));
  });
  api.notFound(() => answerTo(new RegistryError('NOT_FOUND')));
  api.onError((error) => {
    if (error instanceof RegistryError) return answerTo(error);
    onError(asError(error));
    return answerTo(new RegistryError('UNKNOWN'));
  });
  return api;
}

function answerTo({ status, code, message }: RegistryError): Response {
  const headers = { 'Content-Type': 'application/json' };
  return new Response(errorBody(code, message), { status, headers });
}

function refuseBrowsers({ req }: Context, host: string | undefined): void {
  const named = new URL(req.url).hostname.replace(/^\[(.*)\]$/, '$1');
  const foreign = named !== 'localhost' && named !== host && isIP(named) === 0;
  if (foreign || req.header('origin') !== undefined) {
    throw new RegistryError('DENIED', 'not for browsers, and not under this name');
  }
}

/** Somebody who writes `?dryRun=true` means it. */
function refuseParameters({ req }: Context): void {
  const { search } = new URL(req.url);
  if (search === '' || req.method !== 'POST') return;
  throw new RegistryError('REQUEST_INVALID', `${search}: what is wanted stands in the body`);
}

async function bodyOf({ req }: Context, largest = LARGEST_BODY): Promise<Body> {
  if (!/^application\/json\b/i.test(req.header('content-type') ?? '')) {
    throw new RegistryError('REQUEST_INVALID', 'the body has to be application/json');
  }
  let text = '';
  const decoder = new TextDecoder();
  for await (const chunk of req.raw.body ?? []) {
    text += decoder.decode(chunk, { stream: true });
    if (text.length > largest) throw new RegistryError('REQUEST_INVALID', 'the body is too long');
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = undefined;
  }
  if (isRecord(value)) return value;
  throw new RegistryError('REQUEST_INVALID', 'the body is not a JSON object');
}
