import { isHosted } from '../core/hosted.ts';
import type { Exchange } from './exchange.ts';
import type { RequestRecord } from './observe.ts';

/** nginx's, for a request that was over before there was a status. */
const CLIENT_CLOSED_REQUEST = 499;

/** How an exchange came to its end. */
export interface Ending {
  /** Whether the answer got through whole. */
  readonly through: boolean;
  /** Whether it was broken off on purpose. */
  readonly cut: boolean;
  /** Of the body, given to the socket. */
  readonly bytes: number;
  readonly client: string | undefined;
  /** Milliseconds since the request came: to the end, and to the first byte of the answer. */
  readonly duration: number;
  readonly firstByte: number;
}

/** What is logged of an exchange that is over. */
export function recordOf(exchange: Exchange, ending: Ending): RequestRecord {
  const { incoming, repository } = exchange;
  const { headersSent, statusCode } = exchange.outgoing;
  const hosted = repository !== undefined && isHosted(repository);
  return {
    requestId: exchange.id,
    method: exchange.method,
    path: exchange.path,
    status: headersSent ? statusCode : CLIENT_CLOSED_REQUEST,
    outcome: ending.through ? 'complete' : ending.cut ? 'cut' : 'client-gone',
    bytes: ending.bytes,
    durationMs: round(ending.duration),
    firstByteMs: round(ending.firstByte),
    route: exchange.route,
    ns: exchange.ns,
    upstream: hosted ? undefined : repository?.host,
    repository: repository?.path,
    reference: exchange.reference,
    cache: exchange.served?.result,
    client: ending.client,
    userAgent: incoming.headers['user-agent']?.slice(0, 256),
    failure: exchange.failure,
  };
}

function round(milliseconds: number): number {
  return Math.round(milliseconds * 1000) / 1000;
}
