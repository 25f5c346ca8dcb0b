import { once } from 'node:events';
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { isIPv6 } from 'node:net';
import { opening } from '../../opening.ts';
import { told } from '../../told.ts';
import type { Context } from '../../context.ts';
import type { Arguments } from '../argparse.ts';
import { HINTS } from '../hints.ts';
import { requestsBundle } from '../requests-bundle.ts';
import { ApiError, failedAnswer, type Answer } from './answer.ts';
import { Api } from './api.ts';
import { peekedBy } from './desk.ts';
import { Refusal } from './target.ts';

const HOST = '127.0.0.1';
const PORT = '8000';
const HUB = 'https://hub.docker.com';
const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d+)?$/i;

/** Serves the HTTP API until the process is to end. Gives the exit code. @throws Refusal, Error of Node */
export async function serveApi(values: Arguments['values'], context: Context): Promise<number> {
  const signal = context.interruption.listen();
  const hub = values.get('hub') ?? HUB;
  if (!/^https?:\/\//.test(hub) || !URL.canParse(hub)) {
    throw new Refusal(`[!] Error: --hub: not a URL: ${hub}`);
  }
  using peeked = peekedBy(context);
  const connection = { quiet: true, ...requestsBundle(context) } as const;
  await using client = await opening(connection, context, { signal, hints: HINTS.layerslayer });
  const api = new Api({ client, peeked, registry: values.get('registry'), hub: new URL(hub) });
  const host = values.get('host') ?? HOST;
  const shown = isIPv6(host) ? `[${host}]` : host;
  const names = LOOPBACK.test(shown) ? LOOPBACK : /./;
  const running = new Set<Promise<void>>();
  const server = createServer((request, response) => {
    const answered = respond(api, names, request, response, signal).catch((error: unknown) => {
      context.output.error(`layerslayer: ${request.url ?? ''}: ${told(error)}\n`);
    });
    running.add(answered);
    void answered.finally(() => running.delete(answered));
  });
  server.listen(Number(values.get('port') ?? PORT), host);
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' ? (address?.port ?? 0) : 0;
  context.output.error(`layerslayer: listening on http://${shown}:${port}\n`);
  if (!signal.aborted) await once(signal, 'abort');
  server.close();
  server.closeAllConnections();
  await Promise.all(running);
  return 0;
}

async function respond(
  api: Api,
  names: RegExp,
  request: IncomingMessage,
  response: ServerResponse,
  ending: AbortSignal,
): Promise<void> {
  const gone = new AbortController();
  response.on('close', () => gone.abort());
  const signal = AbortSignal.any([gone.signal, ending]);
  await using held = new AsyncDisposableStack();
  const { status, type, headers, body } = await answerTo(api, names, request, signal, held);
  response.writeHead(status, {
    'Content-Type': type,
    'X-Content-Type-Options': 'nosniff',
    ...headers,
  });
  if (request.method === 'HEAD') response.end();
  else if (typeof body === 'string') response.end(body);
  else await sent(body, response, gone.signal);
}

/** A failure on the way ends the connection, so that nobody takes half of an answer for all of it. */
async function sent(
  body: Exclude<Answer['body'], string>,
  response: ServerResponse,
  gone: AbortSignal,
): Promise<void> {
  try {
    await pipeline(Readable.from(body), response);
  } catch (error) {
    response.destroy();
    if (!gone.aborted) throw error;
  }
}

async function answerTo(
  api: Api,
  names: RegExp,
  { method, url = '/', headers }: IncomingMessage,
  signal: AbortSignal,
  held: AsyncDisposableStack,
): Promise<Answer> {
  try {
    // A page of elsewhere whose name leads here must not read what is open to this machine alone.
    if (!names.test(headers.host ?? '')) throw new ApiError(403, 'this name is not served here');
    if (isOfElsewhere(headers)) throw new ApiError(403, 'pages of elsewhere are not served');
    if (method !== 'GET' && method !== 'HEAD') throw new ApiError(405, 'Method Not Allowed');
    if (!URL.canParse(url, 'http://localhost')) throw new ApiError(400, 'malformed URL');
    return await api.answer(new URL(url, 'http://localhost'), signal, held);
  } catch (error) {
    return failedAnswer(error);
  }
}

/**
 * Whether a page of another origin asks (Fetch Metadata): it could not read the answer, but registries
 * would be asked all the same. A link that someone follows is their own request.
 */
function isOfElsewhere(headers: IncomingHttpHeaders): boolean {
  const site = headers['sec-fetch-site'] ?? 'none';
  return site !== 'none' && site !== 'same-origin' && headers['sec-fetch-dest'] !== 'document';
}
