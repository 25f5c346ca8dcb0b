import { randomUUID } from 'node:crypto';
import { constants, Http2ServerResponse } from 'node:http2';
import type { Kind } from '../core/kind.ts';
import type { Repository } from '../core/reference.ts';
import type { Served } from '../core/served.ts';
import { headOf, type Fields } from './answer.ts';
import type { Failure, RequestRecord, Route } from './observe.ts';
import { ClientGone, isThrough, type Incoming, type Outgoing, type Output } from './messages.ts';
import { recordOf } from './record.ts';
import type { Leaving, Turn } from './turn.ts';

/** Bytes up to which a body is copied to be joined with the head. */
const JOINED = 16 * 1024;
const REQUEST_ID = /^[A-Za-z0-9._-]{1,128}$/;

/** What an exchange is part of. */
export interface ExchangeOptions {
  readonly turn: Turn;
  /** Told of the bytes of every chunk that went out. */
  readonly sent: (exchange: Exchange, bytes: number) => void;
  /** Told once, when the connection or the stream is done with it. */
  readonly ended: (exchange: Exchange, record: RequestRecord) => void;
}

/** One request and its answer, with all that log and metrics will say of it. */
export class Exchange implements Leaving {
  readonly incoming: Incoming;
  readonly outgoing: Outgoing;
  readonly id: string;
  /** As it came, without the query. */
  readonly path: string;
  route: Route = 'other';
  /** What the request named, as it named it. */
  ns: string | undefined;
  reference: string | undefined;
  /** Set once it is known where the request goes. */
  repository: Repository | undefined;
  /** Set when the source is asked: from then on the request counts among the cache's. */
  kind: Kind | undefined;
  served: Served | undefined;
  failure: Failure | undefined;

  readonly #output: Output;
  readonly #options: ExchangeOptions;
  readonly #started = performance.now();
  readonly #client: string | undefined;
  #firstByte: number | undefined;
  #length = 0;
  #sent = 0;
  #gone: PromiseWithResolvers<never> | undefined;
  /** Whoever waits for the socket to take a chunk; most answers have nobody. */
  #writing: Set<(reason: ClientGone) => void> | undefined;
  /** Of an answer that has not left yet. */
  #body: Uint8Array | string | undefined;
  #answered = false;
  #closed = false;
  #cut = false;

  constructor(incoming: Incoming, outgoing: Outgoing, path: string, options: ExchangeOptions) {
    this.incoming = incoming;
    this.outgoing = outgoing;
    this.#output = outgoing;
    this.#options = options;
    this.path = path;
    // A closed socket no longer knows whom it belonged to.
    this.#client = incoming.socket.remoteAddress;
    const asked = incoming.headers['x-request-id'];
    this.id = typeof asked === 'string' && REQUEST_ID.test(asked) ? asked : randomUUID();
    this.#output.on('close', () => this.#close());
  }

  get method(): string {
    return this.incoming.method ?? 'GET';
  }

  /** Whether the head is on its way, so that the answer can no longer change. */
  get begun(): boolean {
    return this.#firstByte !== undefined;
  }

  /** Whether it has its whole answer: what comes later is for nobody. */
  get answered(): boolean {
    return this.#answered;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Milliseconds since it came. */
  get waited(): number {
    return performance.now() - this.#started;
  }

  /** Rejects with `ClientGone` if the connection closes before the answer is through. */
  get gone(): Promise<never> {
    if (this.#gone === undefined) {
      this.#gone = Promise.withResolvers<never>();
      this.#gone.promise.catch(() => undefined);
      if (this.#closed) this.#gone.reject(new ClientGone());
    }
    return this.#gone.promise;
  }

  header(name: string): string | undefined {
    const value = this.incoming.headers[name];
    return typeof value === 'string' ? value : value?.join(', ');
  }

  /** Answers at once. To HEAD the same without the body; a status without a body has none. The first answer counts. */
  answer(status: number, fields: Fields, body?: Uint8Array | string): void {
    if (this.#closed || this.#answered) return;
    const head = headOf(this, fields);
    if (body !== undefined) {
      this.#length = typeof body === 'string' ? Buffer.byteLength(body) : body.length;
      head.push('Content-Length', `${this.#length}`);
    }
    // Throws for a field that no head can have: then nothing has been answered.
    this.#output.writeHead(status, head);
    this.#answered = true;
    this.#firstByte = performance.now();
    if (this.method === 'HEAD') this.#length = 0;
    else this.#body = body;
    // HTTP/2 gathers by itself what leaves in one go, and its head is on the way.
    if (this.outgoing instanceof Http2ServerResponse) this.leave();
    else this.#options.turn.atEnd(this);
  }

  /** Hands what was answered to the socket. */
  leave(): void {
    const body = this.#body;
    this.#body = undefined;
    if (body === undefined) {
      this.#output.end();
    } else if (typeof body === 'string' || body.length > JOINED) {
      this.#output.end(body);
    } else {
      // As text of the same bytes it leaves in one piece with the head: one buffer, not a list of two.
      const bytes = Buffer.isBuffer(body)
        ? body
        : Buffer.from(body.buffer, body.byteOffset, body.length);
      this.#output.end(bytes.toString('latin1'), 'latin1');
    }
  }

  /**
   * Sends the head of an answer whose `length` bytes come through `write`; `end` ends it.
   * @throws ClientGone also where there is an answer already
   */
  begin(status: number, fields: Fields, length: number): void {
    if (this.#closed || this.#answered) throw new ClientGone();
    const head = headOf(this, fields);
    head.push('Content-Length', `${length}`);
    this.#length = length;
    this.#output.writeHead(status, head);
    this.#firstByte = performance.now();
  }

  /** Lets the client have the head while the body is still on its way here. */
  flush(): void {
    // HTTP/2 sends a head as soon as it is written.
    if (!(this.outgoing instanceof Http2ServerResponse)) this.outgoing.flushHeaders();
  }

  /**
   * Settles once the socket has taken the chunk, which may then be reused.
   * @throws ClientGone
   */
  write(chunk: Uint8Array): Promise<void> {
    if (this.#closed || this.#answered) return Promise.reject(new ClientGone());
    if (chunk.length === 0) return Promise.resolve();
    if (this.#sent + chunk.length > this.#length) {
      return Promise.reject(new Error(`more than the ${this.#length} bytes that were announced`));
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    // Node forgets the callbacks of what a closed socket had not taken yet.
    const writing = (this.#writing ??= new Set());
    writing.add(reject);
    this.#output.write(chunk, (error) => {
      writing.delete(reject);
      if (error) return reject(new ClientGone(error));
      this.#sent += chunk.length;
      this.#options.sent(this, chunk.length);
      resolve();
    });
    return promise;
  }

  /** Ends what `begin` began. @throws Error if bytes are missing: then it must be cut */
  end(): void {
    if (this.#sent !== this.#length) {
      throw new Error(`${this.#sent} of the ${this.#length} bytes that were announced`);
    }
    this.#output.end();
  }

  /** Breaks the answer off, so that no client takes what it got for all of it. */
  cut(): void {
    if (this.#closed || this.outgoing.writableEnded) return;
    this.#cut = true;
    const { outgoing } = this;
    if (outgoing instanceof Http2ServerResponse) {
      outgoing.stream.close(constants.NGHTTP2_INTERNAL_ERROR);
    } else {
      outgoing.socket?.destroy();
    }
  }

  #close(): void {
    this.#closed = true;
    this.#gone?.reject(new ClientGone());
    for (const reject of this.#writing ?? []) reject(new ClientGone());
    const through = isThrough(this.outgoing);
    if (through && this.#sent === 0 && this.#length > 0) {
      this.#sent = this.#length;
      this.#options.sent(this, this.#length);
    }
    const { waited } = this;
    const record = recordOf(this, {
      through,
      cut: this.#cut,
      bytes: this.#sent,
      client: this.#client,
      duration: waited,
      firstByte: this.#firstByte === undefined ? waited : this.#firstByte - this.#started,
    });
    this.#options.ended(this, record);
  }
}
