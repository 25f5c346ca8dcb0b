import http, { type IncomingMessage } from 'node:http';
import https from 'node:https';
import * as tls from 'node:tls';

/** Bytes of a body that are taken in: what is asked here is short. */
const LARGEST = 4 * 1024 * 1024;

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
  /** Milliseconds until the headers. */
  readonly elapsed: number;
  /** What the server showed; `undefined` without TLS. */
  readonly certificate: tls.PeerCertificate | undefined;
}

export interface RequestOptions {
  /** PEM of an authority to trust besides the usual ones. */
  readonly ca?: string | undefined;
  /** Milliseconds for all of it. */
  readonly timeout: number;
  /** `any`: whatever certificate is shown; for looking at it. `machine`: what other programs of this machine trust. */
  readonly trust?: 'checked' | 'machine' | 'any';
}

/**
 * One GET, straight to the address: no proxy, no redirect, no connection that is kept.
 * @throws Error of Node with its `code`, ETIMEDOUT among them
 */
export function get(url: string, options: RequestOptions): Promise<Answer> {
  const { timeout, trust = 'checked' } = options;
  const signal = AbortSignal.timeout(timeout);
  const began = performance.now();
  const secure = url.startsWith('https:');
  return new Promise((resolve, reject) => {
    const fail = (error: Error): void => reject(signal.aborted ? timedOut(url, timeout) : error);
    const answered = (incoming: IncomingMessage): void => {
      const elapsed = performance.now() - began;
      const certificate = secure
        ? (incoming.socket as tls.TLSSocket).getPeerCertificate()
        : undefined;
      bodyOf(incoming).then((body) => {
        const { statusCode: status = 0, headers } = incoming;
        resolve({ status, headers, body, elapsed, certificate });
      }, fail);
    };
    const common = { agent: false, signal, headers: { Connection: 'close' } } as const;
    const request = secure
      ? https.get(
          url,
          { ...common, ca: authorities(options), rejectUnauthorized: trust !== 'any' },
          answered,
        )
      : http.get(url, common, answered);
    request.on('error', fail);
  });
}

/** What this machine trusts counts as well as what Node brings along: clients go by it. */
function authorities({ ca, trust }: RequestOptions): string[] {
  // Older releases of Node cannot tell.
  const told = typeof tls.getCACertificates === 'function' ? tls.getCACertificates : undefined;
  const system = told?.('system') ?? [];
  const usual = trust === 'machine' ? [] : (told?.('default') ?? tls.rootCertificates);
  return [...usual, ...system, ...(ca === undefined ? [] : [ca])];
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
