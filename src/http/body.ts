import { Http2ServerRequest } from 'node:http2';
import { RegistryError } from '../core/errors.ts';
import type { Exchange } from './exchange.ts';
import { ClientGone, type Incoming } from './messages.ts';

/** Milliseconds without a byte after which a client is taken for dead: whoever comes back waits for it. */
export const SILENCE = 120_000;
/** Milliseconds for which what nobody wanted is still read, so that the client gets to read the answer. */
const LINGER = 5_000;

const LENGTH = /^[0-9]{1,15}$/;

/**
 * How many bytes the client announced; `undefined` when it did not say.
 * @throws RegistryError SIZE_INVALID (413) for more than a number can hold
 */
export function announced(exchange: Exchange): number | undefined {
  const length = exchange.header('content-length');
  if (length === undefined) return hasBody(exchange.incoming) ? undefined : 0;
  if (LENGTH.test(length)) return Number(length);
  throw new RegistryError('SIZE_INVALID', 'more than any upload may have', { status: 413 });
}

/** Whether bytes follow the head of the request. */
export function hasBody(incoming: Incoming): boolean {
  const { 'transfer-encoding': coding, 'content-length': length } = incoming.headers;
  if (coding !== undefined) return true;
  if (length !== undefined) return length !== '0';
  return incoming instanceof Http2ServerRequest && !incoming.stream.endAfterHeaders;
}

/**
 * The bytes of a request as they come, to be read once. A client that expects to be asked for them
 * (RFC 9110 section 10.1.1) is asked at the first read; one that sends nothing for `silence`
 * milliseconds is cut. To leave early does not break the connection.
 * @throws ClientGone
 */
export async function* bodyOf(
  exchange: Exchange,
  silence: number = SILENCE,
): AsyncGenerator<Uint8Array, void> {
  if (exchange.closed) throw new ClientGone();
  invite(exchange);
  const chunks = exchange.incoming.iterator({ destroyOnReturn: false });
  let timer: NodeJS.Timeout | undefined;
  try {
    while (true) {
      timer = setTimeout(() => exchange.cut(), silence);
      const next: IteratorResult<Uint8Array> = await chunks.next();
      clearTimeout(timer);
      if (next.done === true) return;
      yield next.value;
    }
  } catch (error) {
    throw new ClientGone(error);
  } finally {
    clearTimeout(timer);
    await chunks.return?.();
  }
}

/**
 * The whole body, if it has at most `limit` bytes.
 * @throws ClientGone, RegistryError SIZE_INVALID (413)
 */
export async function wholeBody(
  exchange: Exchange,
  limit: number,
  silence?: number,
): Promise<Uint8Array> {
  const tooLarge = (): RegistryError =>
    new RegistryError('SIZE_INVALID', `more than the ${limit} bytes that are taken here`, {
      status: 413,
    });
  if ((announced(exchange) ?? 0) > limit) throw tooLarge();
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of bodyOf(exchange, silence)) {
    size += chunk.length;
    if (size > limit) throw tooLarge();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, size);
}

/**
 * After the answer: what is still coming is thrown away, because closing on unread bytes would
 * reset the connection and could take the answer with it; but not for ever.
 */
export function forsake(incoming: Incoming): void {
  if (incoming.complete || incoming.destroyed) return;
  incoming.resume();
  const { socket } = incoming;
  const timer = setTimeout(() => {
    if (incoming instanceof Http2ServerRequest) incoming.stream.close();
    else socket.destroy();
  }, LINGER);
  const done = (): void => clearTimeout(timer);
  incoming.once('end', done);
  incoming.once('close', done);
  timer.unref();
}

function invite({ incoming, outgoing }: Exchange): void {
  if (incoming.headers.expect === undefined) return;
  outgoing.writeContinue();
  // It was to end, in case that the body stays unread and nobody knows whether it comes.
  if ('shouldKeepAlive' in outgoing) {
    outgoing.shouldKeepAlive = !/\bclose\b/i.test(incoming.headers.connection ?? '');
  }
}
