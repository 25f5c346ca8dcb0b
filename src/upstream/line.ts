import type { Dispatcher } from 'undici';
import type { Circuit } from './circuit.ts';
import type { Deadline } from './clock.ts';
import type { UpstreamEvent } from './event.ts';
import { BodyError, exchange, type HttpRequest, type HttpResponse } from './exchange.ts';
import { connectionFailure, unsent, UpstreamError, type Subject } from './failure.ts';
import { Meter } from './meter.ts';
import type { AddressRule } from './private-address.ts';
import { budgetOf } from './rate-limit.ts';

export interface LineOptions {
  /** The upstream's configured name. */
  readonly host: string;
  /** Of the endpoint. */
  readonly url: URL;
  readonly timeouts: { readonly headers: number; readonly idle: number };
  readonly dispatcher: Dispatcher;
  readonly addresses: AddressRule;
  readonly observe: (event: UpstreamEvent) => void;
}

/** Milliseconds that a registry may take to check and keep what it was sent. */
const DIGESTING = 10 * 60_000;

/**
 * The way to an endpoint, and to wherever it redirects: sends one request at a time, tells what it came
 * to, and lets the circuit know how the endpoint itself fares.
 */
export class Line {
  readonly #options: LineOptions;
  readonly #circuit: Circuit;
  #answered = false;

  constructor(options: LineOptions, circuit: Circuit) {
    this.#options = options;
    this.#circuit = circuit;
  }

  /** Whether the endpoint has ever answered anything but 400: that is what one with TLS says to who speaks none. */
  get answered(): boolean {
    return this.#answered;
  }

  /** As `exchange`, for what people ask of the registry: counted, with the time that it took. */
  async ask(request: HttpRequest, subject: Subject, deadline: Deadline): Promise<HttpResponse> {
    const { host, observe } = this.#options;
    const started = performance.now();
    const tell = (code: string): void => {
      const seconds = (performance.now() - started) / 1000;
      observe({ host, type: 'request', kind: subject.kind, method: request.method, code, seconds });
    };
    try {
      const response = await this.exchange(request, subject, deadline);
      tell(String(response.status));
      const budget = budgetOf(response.headers);
      if (budget !== undefined) observe({ host, type: 'budget', ...budget });
      return response;
    } catch (error) {
      if (error instanceof UpstreamError) tell(error.reason);
      throw error;
    }
  }

  /** The answer, whatever its status. @throws UpstreamError where there is none */
  async exchange(
    request: HttpRequest,
    subject: Subject,
    deadline: Deadline,
  ): Promise<HttpResponse> {
    const { host, dispatcher, addresses, timeouts, url, observe } = this.#options;
    const own = request.url.host === url.host;
    const headers = Math.min(timeouts.headers, deadline.remaining);
    const patience = { headers, idle: timeouts.idle, digesting: Math.max(headers, DIGESTING) };
    const meter = new Meter((bytes) =>
      observe({ host, type: 'received', kind: subject.kind, bytes }),
    );
    try {
      addresses.checkUrl(request.url);
      const response = await exchange(dispatcher, request, patience, meter);
      if (own) {
        this.#answered ||= response.status !== 400;
        this.#circuit.succeeded();
      }
      return response;
    } catch (cause) {
      if (cause instanceof BodyError) throw unsent(subject, cause.cause);
      const error = connectionFailure(cause, subject);
      if (own && error.reached === 'no') this.#circuit.failed();
      throw error;
    }
  }
}
