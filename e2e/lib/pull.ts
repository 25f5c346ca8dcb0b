import { createHash } from 'node:crypto';
import { request as plain, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import { request as secure, type RequestOptions } from 'node:https';

/** How one request went, whatever came of it. */
export interface Pulled {
  /** 0: there was no answer. */
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  /** `cut`: the connection ended before the answer did, or there was none at all. */
  readonly end: 'clean' | 'cut';
}

export interface PullOptions {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Called with each chunk before the next one is read: a client as slow as one likes. */
  readonly pace?: (chunk: Uint8Array) => Promise<void>;
  readonly tls?: Pick<RequestOptions, 'ca' | 'cert' | 'key'>;
}

/** One request on a connection of its own, read to whatever end it has. Never throws. */
export async function pull(url: string, options: PullOptions = {}): Promise<Pulled> {
  const response = await responseTo(url, options).catch(() => undefined);
  if (response === undefined) return { status: 0, headers: {}, body: Buffer.alloc(0), end: 'cut' };
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of response) {
      chunks.push(chunk);
      await options.pace?.(chunk);
    }
  } catch {
    // What ended it shows in `complete`.
  }
  const { statusCode: status = 0, headers, complete } = response;
  return { status, headers, body: Buffer.concat(chunks), end: complete ? 'clean' : 'cut' };
}

/** The answer's head; the body waits until it is read. @throws Error of the connection */
export function responseTo(url: string, options: PullOptions = {}): Promise<IncomingMessage> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const { method = 'GET', headers = {}, tls = {} } = options;
  const make = url.startsWith('https:') ? secure : plain;
  make(url, { method, headers: { ...headers }, agent: false, ...tls }, resolve)
    .on('error', reject)
    .end();
  return promise;
}

export function sha256Of(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

/** The code of an error document, checked for the form that the specification gives it. */
export function errorCode({ headers, body }: Pulled): string {
  if (headers['content-type'] !== 'application/json') {
    throw new Error(`an error of type ${headers['content-type']}`);
  }
  const { errors } = JSON.parse(body.toString()) as {
    errors: readonly { code: string; message: string }[];
  };
  const [first] = errors;
  if (first === undefined || first.message === '') throw new Error(`no error: ${body.toString()}`);
  return first.code;
}
