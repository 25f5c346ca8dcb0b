import { Readable } from 'node:stream';
import type { Dispatcher } from 'undici';
import { Incoming } from './incoming.ts';
import type { Meter } from './meter.ts';
import { errors } from './undici.ts';

export type Headers = Readonly<Record<string, string | string[] | undefined>>;

export type Method = 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

/** A body that leaves piece by piece, and is opened anew each time it is sent. */
export interface Streamed {
  /** Bytes of all pieces together. */
  readonly length: number;
  /** What it throws ends the request, which then rejects with a `BodyError`. */
  readonly open: () => AsyncIterable<Uint8Array>;
}

/** A body could not be had, through no fault of whom it was for. */
export class BodyError extends Error {
  constructor(cause: unknown) {
    super('the body of the request failed', { cause });
    this.name = 'BodyError';
  }
}

export type HttpBody = string | Uint8Array | Streamed;

export interface HttpRequest {
  readonly method: Method;
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: HttpBody;
}

/**
 * Milliseconds: until the headers, all in all; between two pieces of the body, either way; and, once
 * a streamed body has left, until the headers: who was given much has much to write down.
 */
export interface Patience {
  readonly headers: number;
  readonly idle: number;
  readonly digesting: number;
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
  let over = false;
  // undici's own timeout starts when the request is written; this one covers the connecting as well.
  const expire = (): void => {
    over = true;
    late = new errors.HeadersTimeoutError();
    controller?.abort(late);
    reject(late);
  };
  let timer = setTimeout(expire, patience.headers);
  /** @param milliseconds from now on; none while it is not the other side that is waited for */
  const wait = (milliseconds: number | undefined): void => {
    clearTimeout(timer);
    if (incoming === undefined && milliseconds !== undefined) {
      timer = setTimeout(expire, milliseconds);
    }
  };
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
      over = true;
      clearTimeout(timer);
      incoming?.fail(error);
      reject(error);
    },
  };
  const [streamed, plain] = isStreamed(body) ? [body, undefined] : [undefined, body ?? null];
  try {
    dispatcher.dispatch(
      {
        origin: url.origin,
        path: url.pathname + url.search,
        method,
        headers:
          streamed === undefined
            ? headers
            : { ...headers, 'content-length': String(streamed.length) },
        body: streamed === undefined ? plain : streamOf(streamed, patience, wait, () => over),
        // A body may take longer to leave than any answer: `wait` follows it.
        headersTimeout: streamed === undefined ? patience.headers : 0,
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

function isStreamed(body: HttpBody | undefined): body is Streamed {
  return typeof body === 'object' && 'open' in body;
}

type Wait = (milliseconds: number | undefined) => void;

/** @param over whether the request has ended: what is thrown from then on says nothing of the body */
function streamOf(body: Streamed, patience: Patience, wait: Wait, over: () => boolean): Readable {
  const stream = Readable.from(paced(body, patience, wait, over), { objectMode: false });
  // Whoever waits for the request is told; an error that comes after it is nobody's.
  return stream.on('error', () => {});
}

/** Waits for the other side while it takes a piece, and for nobody while the next one is fetched. */
async function* paced(
  body: Streamed,
  patience: Patience,
  wait: Wait,
  over: () => boolean,
): AsyncGenerator<Uint8Array> {
  wait(undefined);
  try {
    for await (const chunk of body.open()) {
      wait(patience.idle);
      yield chunk;
      wait(undefined);
    }
  } catch (error) {
    throw over() ? error : new BodyError(error);
  }
  wait(patience.digesting);
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
