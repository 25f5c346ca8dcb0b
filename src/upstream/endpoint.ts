import { lazily } from '../core/lazily.ts';
import { Answer } from './answer.ts';
import { isExpired, isUsable, requestOf, type Ask } from './ask.ts';
import type { Auth } from './auth.ts';
import { Circuit, paused } from './circuit.ts';
import type { Clock, Deadline } from './clock.ts';
import type { Credentials } from './credentials.ts';
import { readAll, type HttpRequest, type HttpResponse } from './exchange.ts';
import { connectionFailure, nameIn, UpstreamError, type Subject } from './failure.ts';
import type { Hints } from './hints.ts';
import { Line, type LineOptions } from './line.ts';
import { follow } from './redirect.ts';
import { backOff } from './retry.ts';
import { pullScope } from './scope.ts';
import type { Visit } from './trace.ts';

export interface EndpointOptions extends LineOptions {
  readonly credentials: (repository: string) => Promise<Credentials | undefined>;
  /** The registry that a mirror is asked for: `?ns=` of every request. */
  readonly ns?: string | undefined;
  readonly hints?: Hints | undefined;
  readonly headers: Readonly<Record<string, string>>;
  readonly clock: Clock;
  readonly via?: string | undefined;
  readonly visit?: Visit | undefined;
}

/** Of the API. */
const ROOT = '/v2/';
const LONGEST_GREETING = 64 * 1024;

/** How often and how long one call may try. */
export interface Effort {
  readonly deadline: Deadline;
  /** After the first attempt. */
  readonly retries: number;
}

/** One address of an upstream, with what is known of it: whom it lets in, whether it is up. */
export class Endpoint {
  readonly #options: EndpointOptions;
  /** From the first refusal on: registries that ask nobody who they are need none of it. */
  #auth: Auth | undefined;
  readonly #challenged: () => Promise<Auth>;
  readonly #circuit: Circuit;
  readonly #line: Line;

  constructor(options: EndpointOptions) {
    const { clock, host, observe } = options;
    this.#options = options;
    this.#circuit = new Circuit(clock, (open) => observe({ host, type: 'circuit', open }));
    this.#line = new Line(options, this.#circuit);
    this.#challenged = lazily(async () => {
      this.#auth = await this.#makeAuth();
      return this.#auth;
    });
  }

  /** The upstream's configured name. */
  get host(): string {
    return this.#options.host;
  }

  /** Of a path below the API root. */
  urlOf(path: string): URL {
    const { url } = this.#options;
    const prefix = url.pathname.replace(/\/+$/, '').replace(/\/v2$/, '');
    return this.named(new URL(prefix + path, url.origin));
  }

  /** With the namespace, on this endpoint; its query is otherwise left to the letter. */
  named(url: URL): URL {
    const { ns, url: own } = this.#options;
    if (ns === undefined || url.host !== own.host || url.searchParams.has('ns')) return url;
    const named = new URL(url);
    named.search += `${url.search === '' ? '?' : '&'}ns=${encodeURIComponent(ns)}`;
    return named;
  }

  /** Waits before it is tried again: for as long as is due after that many failures, from 0. */
  async rest(failures: number, reason: string, delay = backOff(failures)): Promise<void> {
    const { host, clock, observe } = this.#options;
    observe({ host, type: 'retry', reason });
    await clock.sleep(delay);
  }

  /**
   * Asks, and has the answer used while it can still be asked again: what `use` throws as worth a
   * retry is retried like a failed request. The answer belongs to `use`.
   * @throws RegistryError
   */
  async run<T>(ask: Ask, effort: Effort, use: (answer: Answer) => Promise<T>): Promise<T> {
    const { deadline, retries } = effort;
    let last: UpstreamError | undefined;
    for (let attempt = 0; ; attempt += 1) {
      const pause = this.#circuit.enter();
      if (pause !== undefined) throw last ?? paused(pause, this.#subject(ask));
      try {
        return await use(await this.#attempt(ask, deadline));
      } catch (error) {
        if (!(error instanceof UpstreamError) || error.retry === 'useless') throw error;
        const delay = backOff(attempt);
        if (attempt >= retries || delay >= deadline.remaining) throw error;
        last = error;
        await this.rest(attempt, error.reason, delay);
      }
    }
  }

  /**
   * The status that the API's root answers somebody with who shows nothing.
   * @throws UpstreamError where there is no answer
   */
  async greet(deadline: Deadline): Promise<number> {
    const subject = this.#subject({ method: 'GET', kind: 'manifest', repository: '', path: ROOT });
    const response = await this.#askRoot(subject, deadline);
    // To its end, as the connection is free only then; but no longer than there is time.
    const timer = setTimeout(() => response[Symbol.dispose](), deadline.remaining);
    try {
      await readAll(response, LONGEST_GREETING);
    } catch (cause) {
      throw connectionFailure(cause, subject);
    } finally {
      clearTimeout(timer);
    }
    return response.status;
  }

  async #askRoot(subject: Subject, deadline: Deadline): Promise<HttpResponse> {
    const headers = { 'user-agent': 'layover' };
    const request: HttpRequest = { method: 'GET', url: this.urlOf(ROOT), headers };
    return await this.#line.exchange(request, subject, deadline);
  }

  async #attempt(ask: Ask, deadline: Deadline): Promise<Answer> {
    const scoped = { subject: this.#subject(ask), scope: ask.scope ?? pullScope(ask.repository) };
    let authorization = await this.#auth?.header(scoped, deadline);
    let answer = await this.#follow(ask, authorization, deadline);
    if (answer.response.status === 401 && answer.origin === 'endpoint') {
      using refused = answer.response;
      const auth = await this.#challenged();
      const other = await auth.renew(scoped, refused.headers, authorization, deadline);
      if (other !== undefined) {
        authorization = other;
        answer = await this.#follow(ask, authorization, deadline);
      }
    }
    const again = ask.url === undefined && ask.body === undefined;
    if (again && isExpired(answer, ask)) {
      using _expired = answer.response;
      answer = await this.#follow(ask, authorization, deadline);
    }
    if (isUsable(answer, ask)) return answer;
    if (answer.response.status === 401 && authorization?.startsWith('Basic ') === true) {
      using _refused = answer.response;
      throw await this.#notTaken(scoped.subject);
    }
    throw await this.#refused(ask, answer);
  }

  async #makeAuth(): Promise<Auth> {
    const { Auth } = await import('./auth.ts');
    const { url, credentials, clock, host, observe, visit } = this.#options;
    return new Auth({
      url,
      credentials,
      clock,
      send: (request, subject, deadline) => {
        visit?.('auth', request.url);
        return this.#line.exchange(request, subject, deadline);
      },
      base: (subject, deadline) => {
        visit?.('api', this.urlOf(ROOT));
        return this.#askRoot(subject, deadline);
      },
      observe: (result) => observe({ host, type: 'token', result }),
    });
  }

  async #notTaken(subject: Subject): Promise<UpstreamError> {
    const { notTaken } = await import('./refusal.ts');
    return notTaken(subject, '401', await this.#options.credentials(subject.repository));
  }

  async #refused({ method }: Ask, answer: Answer): Promise<UpstreamError> {
    const { host, observe } = this.#options;
    const { response, origin, subject } = answer;
    const { status } = response;
    using _closing = response;
    const meant =
      method === 'GET' || method === 'HEAD'
        ? (await import('./refusal.ts')).refusal
        : (await import('./write-refusal.ts')).writeRefusal;
    const error = await meant(response, subject, origin);
    const retryAfter = origin === 'endpoint' ? this.#pause(status, error) : error.retryAfter;
    if (status === 429) observe({ host, type: 'rate-limited', retryAfter });
    return retryAfter === error.retryAfter ? error : during(retryAfter, error);
  }

  /** Leaves the endpoint alone if it wants that; gives for how many seconds. */
  #pause(status: number, { retryAfter }: UpstreamError): number | undefined {
    // Too many requests at no time at all is no wish to obey.
    if (status === 429) {
      return this.#circuit.wished('limited', retryAfter === 0 ? undefined : retryAfter);
    }
    if (status !== 503 || retryAfter === undefined) return retryAfter;
    return this.#circuit.wished('busy', retryAfter);
  }

  async #follow(ask: Ask, authorization: string | undefined, deadline: Deadline): Promise<Answer> {
    const to = ask.url === undefined ? this.urlOf(ask.path) : this.named(ask.url);
    const request = requestOf(ask, to, { ...this.#options, authorization });
    const send = (sent: HttpRequest, subject: Subject): Promise<HttpResponse> => {
      this.#options.visit?.(sent.url === request.url ? 'api' : 'redirect', sent.url);
      return this.#line.ask(sent, subject, deadline);
    };
    return new Answer(await follow(send, request, this.#options.url.host, this.#subject(ask)));
  }

  #subject({ repository, kind, path }: Ask): Subject {
    const { host, url, hints } = this.#options;
    const meeting = url.protocol === 'https:' ? 'secure' : 'plain';
    return {
      host,
      dialled: url.host,
      repository,
      kind,
      name: nameIn(path),
      hints,
      ...(!this.#line.answered && { meeting }),
    };
  }
}

/** The same, from somebody who is left alone for so many seconds. */
function during(retryAfter: number | undefined, error: UpstreamError): UpstreamError {
  const later = retryAfter === undefined ? {} : { retryAfter };
  return new UpstreamError(error.code, error.message, error, later);
}
