import type { IncomingMessage, ServerResponse } from 'node:http';
import { constants, Http2ServerResponse, type Http2ServerRequest } from 'node:http2';

export type Incoming = IncomingMessage | Http2ServerRequest;
export type Outgoing = ServerResponse | Http2ServerResponse;

/** What the responses of HTTP/1.1 and HTTP/2 have in common. */
export interface Output {
  writeHead(status: number, fields: string[]): unknown;
  write(chunk: Uint8Array, written: (error?: Error | null) => void): boolean;
  end(): unknown;
  end(chunk: Uint8Array | string): unknown;
  end(chunk: string, encoding: 'latin1'): unknown;
  on(event: 'close', listener: () => void): unknown;
}

/** Thrown to whoever writes to a client that has left. No fault of anyone's. */
export class ClientGone extends Error {
  constructor(cause?: unknown) {
    super('the client has left', cause === undefined ? undefined : { cause });
    this.name = 'ClientGone';
  }
}

/** Whether everything that was answered went out. */
export function isThrough(outgoing: Outgoing): boolean {
  if (!(outgoing instanceof Http2ServerResponse)) return outgoing.writableFinished;
  return outgoing.writableEnded && outgoing.stream.rstCode === constants.NGHTTP2_NO_ERROR;
}
