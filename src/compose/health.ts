import { request as plain } from 'node:http';
import { request as secure } from 'node:https';
import type { Config } from '../config/config.ts';
import { formatAddress, type Address } from '../config/address.ts';
import { asError } from '../core/errors.ts';

/** Milliseconds; a server that takes longer than this is not well. */
const PATIENCE = 5_000;

/**
 * Asks the server that this configuration starts on this machine whether it is ready; one that lets
 * in only clients with a certificate is asked over its administration. `undefined`: it is; otherwise
 * why not.
 */
export async function health(config: Config): Promise<string | undefined> {
  const guarded = config.tls?.clientCa !== undefined;
  const scheme = config.tls === undefined || guarded ? 'http' : 'https';
  const url = `${scheme}://${reached(guarded ? config.admin.listen : config.listen)}/readyz`;
  try {
    const { status, text } = await ask(url);
    return status === 200 ? undefined : `${url} answered ${status}: ${text.trim()}`;
  } catch (error) {
    return `no answer from ${url}: ${asError(error).message}`;
  }
}

/** The address as somebody on the same machine reaches it. */
function reached({ host = '::', port }: Address): string {
  const from: Readonly<Record<string, string>> = { '0.0.0.0': '127.0.0.1', '::': '::1' };
  return formatAddress({ host: from[host] ?? host, port });
}

async function ask(url: string): Promise<{ readonly status: number; readonly text: string }> {
  const { promise, resolve, reject } = Promise.withResolvers<{ status: number; text: string }>();
  const request = url.startsWith('https:') ? secure : plain;
  // Nothing is told to whoever answers, and its certificate is not made out to this address.
  const options = {
    signal: AbortSignal.timeout(PATIENCE),
    agent: false,
    rejectUnauthorized: false,
  } as const;
  request(url, options, (response) => {
    let text = '';
    response.setEncoding('utf8');
    response.on('data', (chunk: string) => (text += chunk));
    response.once('end', () => resolve({ status: response.statusCode ?? 0, text }));
    response.once('error', reject);
  })
    .once('error', reject)
    .end();
  return promise;
}
