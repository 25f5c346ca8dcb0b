import http, { type IncomingMessage } from 'node:http';
import https from 'node:https';
import { rootCertificates, type PeerCertificate, type TLSSocket } from 'node:tls';

/** Bytes of a body that are taken in: what is asked here is short. */
const LARGEST = 4 * 1024 * 1024;

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
  /** Milliseconds until the headers. */
  readonly elapsed: number;
  /** What the server showed; `undefined` without TLS. */
  readonly certificate: PeerCertificate | undefined;
}

export interface RequestOptions {
  /** PEM of an authority to trust besides the usual ones. */
  readonly ca?: string | undefined;
  /** Milliseconds for all of it. */
  readonly timeout: number;
  /** `any`: whatever certificate is shown; for looking at it. */
  readonly trust?: 'checked' | 'any';
}

/**
 * One GET, straight to the address: no proxy, no redirect, no connection that is kept.
 * @throws Error of Node with its `code`, ETIMEDOUT among them
 */
export function get(url: string, options: RequestOptions): Promise<Answer> {
  const { ca, timeout, trust = 'checked' } = options;
  const signal = AbortSignal.timeout(timeout);
  const began = performance.now();
  const secure = url.startsWith('https:');
  const authorities = ca === undefined ? {} : { ca: [...rootCertificates, ca] };
  return new Promise((resolve, reject) => {
    const fail = (error: Error): void => reject(signal.aborted ? timedOut(url, timeout) : error);
    const answered = (incoming: IncomingMessage): void => {
      const elapsed = performance.now() - began;
      const certificate = secure ? (incoming.socket as TLSSocket).getPeerCertificate() : undefined;
      bodyOf(incoming).then((body) => {
        const { statusCode: status = 0, headers } = incoming;
        resolve({ status, headers, body, elapsed, certificate });
      }, fail);
    };
    const common = { agent: false, signal, headers: { Connection: 'close' } } as const;
    const request = secure
      ? https.get(
          url,
          { ...common, ...authorities, rejectUnauthorized: trust === 'checked' },
          answered,
        )
      : http.get(url, common, answered);
    request.on('error', fail);
  });
}

async function bodyOf(incoming: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of incoming as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > LARGEST) throw new Error('the answer is too long');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function timedOut(url: string, timeout: number): Error {
  return Object.assign(new Error(`${url} did not answer within ${timeout} ms`), {
    code: 'ETIMEDOUT',
  });
}
