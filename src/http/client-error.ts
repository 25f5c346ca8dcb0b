import type { Duplex } from 'node:stream';
import { ERRORS, systemCode, type ErrorCode } from '../core/errors.ts';
import { errorBody } from './errors.ts';

/** Milliseconds for which a refused client may still read why. */
const LINGER = 2_000;

const refused = new WeakSet<Duplex>();

/**
 * Answers bytes that Node's parser could not make a request of: a head too large, two lengths, a
 * bare CR. Then lets Node read on for a moment, because closing on unread bytes would reset the
 * connection and take the answer with it.
 */
export function refuse(error: Error, socket: Duplex): void {
  // The parser complains again with each further chunk.
  if (refused.has(socket)) return;
  refused.add(socket);
  part(socket, answerTo(systemCode(error)));
}

/** Answers CONNECT (RFC 9110 section 9.3.6), whose connection Node hands over: there are no tunnels through here. */
export function refuseTunnel(socket: Duplex): void {
  // Nobody reads any more, and without that the client's end is never seen.
  socket.on('error', () => {}).resume();
  part(socket, message('UNSUPPORTED', ERRORS.UNSUPPORTED.status, 'Method Not Allowed'));
}

function part(socket: Duplex, answer: string | undefined): void {
  if (answer === undefined || !socket.writable) {
    socket.destroy();
    return;
  }
  socket.end(answer);
  const timer = setTimeout(() => socket.destroy(), LINGER);
  socket.once('end', () => socket.destroy());
  socket.once('close', () => clearTimeout(timer));
}

function answerTo(code: string | undefined): string | undefined {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      return message('URI_TOO_LONG', ERRORS.URI_TOO_LONG.status, 'URI Too Long');
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return message('REQUEST_INVALID', 408, 'Request Timeout');
    default:
      return code?.startsWith('HPE_') === true
        ? message('REQUEST_INVALID', ERRORS.REQUEST_INVALID.status, 'Bad Request')
        : undefined;
  }
}

function message(code: ErrorCode, status: number, reason: string): string {
  const body = errorBody(code, ERRORS[code].message);
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
