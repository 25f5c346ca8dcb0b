import { errors, type Dispatcher } from 'undici';
import { Incoming } from './incoming.ts';
import type { Meter } from './meter.ts';

export type Headers = Readonly<Record<string, string | string[] | undefined>>;

export interface HttpRequest {
  readonly method: 'GET' | 'HEAD' | 'POST';
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** Milliseconds: until the headers, all in all; and between two pieces of the body. */
export interface Patience {
  readonly headers: number;
  readonly idle: number;
}

/** A response whose body has not been read. Whoever gets it reads it or disposes it. */
export interface HttpResponse extends Disposable {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Incoming;
}

/**
 * One request, one response: no redirect, no retry, no decompression.
 * Rejects with the error of undici, Node or `PrivateAddressError`; see `failure.ts`.
 */
export function exchange(
  dispatcher: Dispatcher,
  request: HttpRequest,
  patience: Patience,
  meter: Meter,
): Promise<HttpResponse> {
  const { promise, resolve, reject } = Promise.withResolvers<HttpResponse>();
  const { method, url, headers, body } = request;
  let controller: Dispatcher.DispatchController | undefined;
  let incoming: Incoming | undefined;
  let late: Error | undefined;
  // undici's own timeout starts when the request is written; this one covers the connecting as well.
  const timer = setTimeout(() => {
    late = new errors.HeadersTimeoutError();
    controller?.abort(late);
    reject(late);
  }, patience.headers);
  const handler: Dispatcher.DispatchHandler = {
    onRequestStart(started) {
      controller = started;
      if (late !== undefined) started.abort(late);
    },
    onResponseStart(started, status, responseHeaders) {
      if (status < 200) return;
      clearTimeout(timer);
      const length = lengthOf(responseHeaders);
      const arriving = new Incoming(started, method === 'HEAD' ? 0 : length, meter);
      incoming = arriving;
      resolve({
        status,
        headers: responseHeaders,
        body: arriving,
        [Symbol.dispose]: () => arriving.close(),
      });
    },
    onResponseData: (_, chunk) => incoming?.push(chunk),
    onResponseEnd: () => incoming?.end(),
    onResponseError(_, error) {
      clearTimeout(timer);
      incoming?.fail(error);
      reject(error);
    },
  };
  try {
    dispatcher.dispatch(
      {
        origin: url.origin,
        path: url.pathname + url.search,
        method,
        headers,
        body: body ?? null,
        headersTimeout: patience.headers,
        bodyTimeout: patience.idle,
      },
      handler,
    );
  } catch (error) {
    clearTimeout(timer);
    reject(error instanceof Error ? error : new Error('the request could not be sent'));
  }
  return promise;
}

/** One header's value; of several the first. */
export function headerOf(headers: Headers, name: string): string | undefined {
  const value = headers[name];
  return typeof value === 'string' ? value : value?.[0];
}

/** What `Content-Length` says, where it says it properly. */
export function lengthOf(headers: Headers): number | undefined {
  const text = headerOf(headers, 'content-length') ?? '';
  const length = Number(text);
  return /^\d+$/.test(text) && Number.isSafeInteger(length) ? length : undefined;
}

/**
 * The whole body, up to `limit` bytes; `undefined` if it is longer, and then the rest is not read.
 * The response is done with either way.
 */
export async function readAll(
  response: HttpResponse,
  limit: number,
): Promise<Uint8Array | undefined> {
  using closing = response;
  const chunks: Uint8Array[] = [];
  let size = 0;
  for (;;) {
    const chunk = await closing.body.next();
    if (chunk === undefined) return Buffer.concat(chunks, size);
    size += chunk.length;
    if (size > limit) return undefined;
    chunks.push(chunk);
  }
}
