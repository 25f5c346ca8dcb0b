import { randomUUID } from 'node:crypto';
import type { Duplex } from 'node:stream';
import { ERRORS, systemCode, type ErrorCode } from '../core/errors.ts';
import { errorBody } from './errors.ts';
import type { RequestRecord } from './observe.ts';

/** Milliseconds for which a refused client may still read why. */
const LINGER = 2_000;

const refused = new WeakSet<Duplex>();

/** What a client is told of a request that never became one. */
interface Refusal {
  readonly status: number;
  readonly reason: string;
  readonly code: ErrorCode;
  readonly message: string;
}

const NO_TUNNEL: Refusal = {
  status: 405,
  reason: 'Method Not Allowed',
  code: 'UNSUPPORTED',
  message: 'CONNECT is not served here',
};

/**
 * Answers bytes that Node's parser could not make a request of: a head too large, two lengths, a
 * bare CR. Then lets Node read on for a moment, because closing on unread bytes would reset the
 * connection and take the answer with it. Gives what is to be logged of it; `undefined` where a
 * connection broke, or was refused before.
 */
export function refuse(error: Error, socket: Duplex): RequestRecord | undefined {
  // The parser complains again with each further chunk.
  if (refused.has(socket)) return undefined;
  refused.add(socket);
  const found = refusalOf(error);
  if (found !== undefined && socket.writable) return part(socket, found, 'unknown', '-');
  socket.destroy();
  return undefined;
}

/** Answers CONNECT (RFC 9110 section 9.3.6), whose connection Node hands over: there are no tunnels through here. */
export function refuseTunnel(target: string, socket: Duplex): RequestRecord | undefined {
  // Nobody reads any more, and without that the client's end is never seen.
  socket.on('error', () => {}).resume();
  if (socket.writable) return part(socket, NO_TUNNEL, 'CONNECT', target);
  socket.destroy();
  return undefined;
}

function part(socket: Duplex, found: Refusal, method: string, path: string): RequestRecord {
  const { status, code, message } = found;
  const body = errorBody(code, message);
  socket.end(answerOf(found, body));
  const timer = setTimeout(() => socket.destroy(), LINGER);
  socket.once('end', () => socket.destroy());
  socket.once('close', () => clearTimeout(timer));
  return {
    requestId: randomUUID(),
    method,
    path,
    status,
    outcome: 'complete',
    bytes: Buffer.byteLength(body),
    durationMs: 0,
    firstByteMs: 0,
    route: 'other',
    ns: undefined,
    upstream: undefined,
    repository: undefined,
    reference: undefined,
    cache: undefined,
    client: 'remoteAddress' in socket ? String(socket.remoteAddress) : undefined,
    userAgent: undefined,
    failure: { code, message },
  };
}

function refusalOf(error: Error): Refusal | undefined {
  const code = systemCode(error);
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      return isInRequestLine(error)
        ? refusal(414, 'URI Too Long', 'URI_TOO_LONG')
        : refusal(431, 'Request Header Fields Too Large', 'REQUEST_INVALID', 'headers too large');
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return refusal(408, 'Request Timeout', 'REQUEST_INVALID', 'no request came in time');
    default:
      return code?.startsWith('HPE_') === true
        ? refusal(400, 'Bad Request', 'REQUEST_INVALID')
        : undefined;
  }
}

function refusal(
  status: number,
  reason: string,
  code: ErrorCode,
  message: string = ERRORS[code].message,
): Refusal {
  return { status, reason, code, message };
}

/** Whether the head became too large before its first line had ended, as far as the last bytes of it tell. */
function isInRequestLine(error: Error): boolean {
  const packet = 'rawPacket' in error ? error.rawPacket : undefined;
  const read = 'bytesParsed' in error ? Number(error.bytesParsed) : 0;
  return Buffer.isBuffer(packet) && !packet.subarray(0, Math.max(1, read)).includes('\n');
}

function answerOf({ status, reason }: Refusal, body: string): string {
  return [
    `HTTP/1.1 ${status} ${reason}`,
    'Connection: close',
    ...(status === 405 ? ['Allow: GET, HEAD'] : []),
    'Content-Type: application/json',
    'Docker-Distribution-Api-Version: registry/2.0',
    `Content-Length: ${Buffer.byteLength(body)}`,
    '',
    body,
  ].join('\r\n');
}
