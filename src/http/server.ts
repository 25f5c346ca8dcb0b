import { createServer, ServerResponse, type Server } from 'node:http';
import { createSecureServer, type Http2SecureServer, type Http2Session } from 'node:http2';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { SecureContextOptions } from 'node:tls';
import { Roster } from '../core/roster.ts';
import type { App } from './app.ts';
import { refuse, refuseTunnel } from './client-error.ts';
import type { Incoming, Outgoing } from './messages.ts';
import type { RequestRecord } from './observe.ts';

/** PEM, not paths. With `clientCa` only clients with a certificate of it are let in. */
export interface Tls {
  readonly cert: string | Uint8Array;
  readonly key: string | Uint8Array;
  readonly clientCa?: string | Uint8Array;
}

export interface ServerOptions {
  readonly app: App;
  /** Port 0 takes a free one. */
  readonly listen: { readonly host: string; readonly port: number };
  readonly tls?: Tls;
}

export interface RunningServer {
  readonly address: string;
  readonly port: number;
  /**
   * Shows this certificate from the next connection on; those that are open go on with the one they
   * began with. Whether there is TLS, and whether clients need a certificate, stays as it was.
   * @throws Error of Node, with its `code`, for a certificate that is unusable: nothing has changed then
   */
  secure(tls: Tls): void;
  /**
   * Accepts nothing more, lets running responses finish for at most `deadlineMs`, then breaks off
   * the rest. Tells how many those were. A second call waits for the first.
   */
  close(deadlineMs: number): Promise<{ readonly cut: number }>;
}

/** Milliseconds; the longest idle time seen with clients is 120 s, and the server closes last. */
const KEEP_ALIVE_TIMEOUT = 185_000;

/** Requests of one connection that are answered at a time (HTTP/2), or wait for their turn (HTTP/1.1). */
const MOST_STREAMS = 128;
const MOST_PIPELINED = 128;

const HTTP_OPTIONS = {
  // A body may take as long as it takes: only silence before it is suspicious.
  requestTimeout: 0,
  headersTimeout: 60_000,
  keepAliveTimeout: KEEP_ALIVE_TIMEOUT,
  noDelay: true,
  maxHeaderSize: 16 * 1024,
  // Checked by the app, which answers with an error document.
  requireHostHeader: false,
} as const;

const HTTP2_OPTIONS = {
  allowHTTP1: true,
  // Megabytes; the default of 10 refuses streams when a dozen blobs are under way.
  maxSessionMemory: 256,
  // Each may hold an open file and two buffers. More than any client has layers under way at a time.
  settings: { maxConcurrentStreams: MOST_STREAMS },
} as const;

/** @throws Error of Node, with its `code`, if it cannot listen or the certificate is unusable */
export async function startServer({ app, listen, tls }: ServerOptions): Promise<RunningServer> {
  const server = tls === undefined ? createServer(HTTP_OPTIONS) : secureServer(tls);
  const drain = follow(server, app);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(listen.port, listen.host, () => {
      server.off('error', reject);
      resolve();
    });
  });
  const { address, port } = addressOf(server);
  let closing: Promise<{ readonly cut: number }> | undefined;
  return {
    address,
    port,
    secure: (renewed) => {
      if (!('setSecureContext' in server)) throw new Error('the server speaks plain HTTP');
      server.setSecureContext(certificateOf(renewed));
    },
    close: (deadlineMs) => (closing ??= drain(deadlineMs)),
  };
}

function secureServer(tls: Tls): Http2SecureServer {
  return createSecureServer({
    ...HTTP_OPTIONS,
    ...HTTP2_OPTIONS,
    ...certificateOf(tls),
    ...(tls.clientCa !== undefined && { requestCert: true, rejectUnauthorized: true }),
  });
}

function certificateOf({ cert, key, clientCa }: Tls): SecureContextOptions {
  return {
    cert: asPem(cert),
    key: asPem(key),
    ...(clientCa !== undefined && { ca: asPem(clientCa) }),
  };
}

function asPem(pem: string | Uint8Array): string | Buffer {
  return typeof pem === 'string' ? pem : Buffer.from(pem);
}

/** Wires the events of a server to the app; gives what ends them. */
function follow(
  server: Server | Http2SecureServer,
  app: App,
): (deadlineMs: number) => Promise<{ readonly cut: number }> {
  const sockets = new Set<Socket>();
  const sessions = new Set<Http2Session>();
  const running = new Roster<Outgoing>();
  const idle = Promise.withResolvers<void>();
  let draining = false;
  const settle = (): void => {
    if (draining && running.size === 0 && sessions.size === 0) idle.resolve();
  };
  const keep = <T extends Socket | Http2Session>(set: Set<T>, item: T): void => {
    set.add(item);
    item.on('close', () => {
      set.delete(item);
      settle();
    });
  };
  const begin = (incoming: Incoming, outgoing: Outgoing): void => {
    const place = running.enter(outgoing);
    outgoing.on('close', () => {
      running.leave(place);
      settle();
    });
    if (draining) endConnection(outgoing);
    app.handle(incoming, outgoing);
  };
  const handle = inTurn(begin);
  const tell = (record: RequestRecord | undefined): void => {
    if (record !== undefined) app.refused(record);
  };
  const isAnswering = (socket: Duplex): boolean =>
    [...running].some((outgoing) => outgoing.socket === socket);

  server.on('connection', (socket: Socket) => keep(sockets, socket));
  server.on('session', (session: Http2Session) => keep(sessions, session));
  server.on('request', handle);
  // Whoever reads the body asks for it. If nobody does, the connection cannot be used again.
  server.on('checkContinue', (incoming: Incoming, outgoing: Outgoing) => {
    endConnection(outgoing);
    handle(incoming, outgoing);
  });
  // Nothing but being asked for a body can be expected; what else stands there is passed over.
  server.on('checkExpectation', handle);
  server.on('connect', (incoming: Incoming, connection: Duplex | Outgoing) => {
    // A stream of HTTP/2 is answered like any other.
    if ('req' in connection) handle(incoming, connection);
    else if (isAnswering(connection)) connection.destroy();
    else tell(refuseTunnel(incoming.url ?? '-', connection));
  });
  server.on('clientError', (error: Error, socket: Duplex) => {
    // Behind half an answer a second one would be taken for its rest. What was answered in this turn of
    // the event loop leaves at its end, and is to come first.
    if (isAnswering(socket)) setImmediate(() => socket.destroy());
    else tell(refuse(error, socket));
  });

  return async (deadlineMs) => {
    draining = true;
    app.drain();
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    for (const outgoing of running) endConnection(outgoing);
    for (const session of sessions) session.close();
    settle();
    const deadline = setTimeout(() => idle.resolve(), deadlineMs);
    await idle.promise;
    clearTimeout(deadline);
    const cut = app.cut();
    for (const session of sessions) session.destroy();
    for (const socket of sockets) socket.destroy();
    await closed;
    return { cut };
  };
}

/**
 * Has requests that were sent behind others on one HTTP/1.1 connection (RFC 9112 section 9.3.2) begun when
 * their answers can leave: each may hold an open file, and a client need not read any of them. One that
 * goes on sending is cut.
 */
function inTurn(begin: App['handle']): App['handle'] {
  const waiting = new WeakMap<Socket, number>();
  return (incoming, outgoing) => {
    if (!(outgoing instanceof ServerResponse) || outgoing.socket !== null) {
      begin(incoming, outgoing);
      return;
    }
    const { socket } = incoming;
    const others = waiting.get(socket) ?? 0;
    if (others === MOST_PIPELINED) {
      socket.destroy();
      return;
    }
    waiting.set(socket, others + 1);
    outgoing.once('socket', () => {
      waiting.set(socket, (waiting.get(socket) ?? 1) - 1);
      begin(incoming, outgoing);
    });
  };
}

/** Has an HTTP/1.1 connection closed after the answer, if there is still time to say so. */
function endConnection(outgoing: Outgoing): void {
  if ('shouldKeepAlive' in outgoing && !outgoing.headersSent) outgoing.shouldKeepAlive = false;
}

function addressOf(server: Server | Http2SecureServer): AddressInfo {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server has no port');
  return address;
}
