import { LRUCache } from 'lru-cache';
import { SingleFlight } from '../core/single-flight.ts';
import { parseChallenges, type Challenge } from './challenge.ts';
import type { Clock, Deadline } from './clock.ts';
import { basicHeader, type Credentials } from './credentials.ts';
import type { Headers, HttpRequest, HttpResponse } from './exchange.ts';
import { invalid, UpstreamError, type Subject } from './failure.ts';
import { fetchToken, type TokenRequest } from './token.ts';

type Send = (request: HttpRequest, subject: Subject, deadline: Deadline) => Promise<HttpResponse>;

export interface AuthOptions {
  /** Of the endpoint's API: decides what the realm's scheme may be. */
  readonly url: URL;
  readonly credentials: () => Promise<Credentials | undefined>;
  readonly send: Send;
  /** Asks `/v2/`, for challenges that come from nowhere else. */
  readonly base: (subject: Subject, deadline: Deadline) => Promise<HttpResponse>;
  readonly clock: Clock;
  readonly observe: (result: 'ok' | 'denied' | 'error') => void;
}

interface Held {
  readonly authorization: string;
  /** Milliseconds of the clock. */
  readonly refreshAt: number;
}

/** What the endpoint wants, learned from its last challenge. */
type Scheme =
  | { readonly kind: 'basic' }
  | { readonly kind: 'bearer'; readonly realm: URL; readonly service: string | undefined };

const MOST_TOKENS = 2_000;
/** Share of a token's life after which it is asked for anew. */
const WORTH_USING = 0.9;

/** How one endpoint is shown who asks: nothing, a password, or a token for each repository. */
export class Auth {
  readonly #options: AuthOptions;
  readonly #tokens = new LRUCache<string, Held>({ max: MOST_TOKENS });
  readonly #flights = new SingleFlight<string | undefined>();
  #scheme: Scheme | undefined;

  constructor(options: AuthOptions) {
    this.#options = options;
  }

  /** The `Authorization` to begin with; `undefined` while nothing was ever asked for. */
  async header(subject: Subject, deadline: Deadline): Promise<string | undefined> {
    const scheme = this.#scheme;
    return scheme === undefined ? undefined : await this.#obtain(subject, scheme, deadline);
  }

  /**
   * After a 401 to a request that carried `used`: another `Authorization` to try, `undefined` when
   * there is none.
   * @throws UpstreamError DENIED where the token server refuses
   */
  async renew(
    subject: Subject,
    headers: Headers,
    used: string | undefined,
    deadline: Deadline,
  ): Promise<string | undefined> {
    const challenge = pick(headers) ?? (await this.#baseChallenge(subject, deadline));
    if (challenge === undefined) return undefined;
    const scheme = this.#schemeOf(challenge, subject);
    this.#scheme = scheme;
    const key = subject.repository;
    if (this.#tokens.get(key)?.authorization === used) this.#tokens.delete(key);
    const fresh = await this.#obtain(subject, scheme, deadline, challenge.parameters['scope']);
    return fresh === used ? undefined : fresh;
  }

  async #obtain(
    subject: Subject,
    scheme: Scheme,
    deadline: Deadline,
    scope?: string,
  ): Promise<string | undefined> {
    if (scheme.kind === 'basic') {
      const credentials = await this.#options.credentials();
      return credentials === undefined ? undefined : passwordHeader(credentials);
    }
    const key = subject.repository;
    const held = this.#tokens.get(key);
    if (held !== undefined && this.#options.clock.now() < held.refreshAt) return held.authorization;
    const { realm, service } = scheme;
    const wanted = scope ?? `repository:${key}:pull`;
    return await this.#flights.run(key, () =>
      this.#fetch(subject, { realm, service, scope: wanted }, deadline),
    );
  }

  async #fetch(subject: Subject, request: TokenRequest, deadline: Deadline): Promise<string> {
    const { credentials, send, clock, observe } = this.#options;
    try {
      const known = await credentials();
      if (known?.kind === 'bearer') return `Bearer ${known.token}`;
      const within = (asked: HttpRequest, of: Subject) => send(asked, of, deadline);
      const token = await fetchToken(request, known, within, subject);
      observe('ok');
      const authorization = `Bearer ${token.value}`;
      const refreshAt = clock.now() + token.expiresIn * WORTH_USING * 1000;
      this.#tokens.set(subject.repository, { authorization, refreshAt });
      return authorization;
    } catch (error) {
      observe(error instanceof UpstreamError && error.code === 'DENIED' ? 'denied' : 'error');
      throw error;
    }
  }

  /** Some registries refuse requests without saying how to ask; all of them say it here. */
  async #baseChallenge(subject: Subject, deadline: Deadline): Promise<Challenge | undefined> {
    using response = await this.#options.base(subject, deadline);
    return response.status === 401 ? pick(response.headers) : undefined;
  }

  #schemeOf({ scheme, parameters }: Challenge, subject: Subject): Scheme {
    if (scheme === 'basic') return { kind: 'basic' };
    const realm = URL.parse(parameters['realm'] ?? '', this.#options.url.href);
    const secure = realm?.protocol === 'https:';
    if (realm === null || (!secure && realm.protocol !== 'http:')) {
      throw invalid(subject, 'the upstream names no token server in its challenge');
    }
    if (!secure && this.#options.url.protocol === 'https:') {
      throw invalid(
        subject,
        'the token server is without TLS although the upstream has it, refused',
      );
    }
    return { kind: 'bearer', realm, service: parameters['service'] };
  }
}

/** The strongest challenge that can be met. */
function pick(headers: Headers): Challenge | undefined {
  const challenges = parseChallenges(headers['www-authenticate']);
  return (
    challenges.find(({ scheme }) => scheme === 'bearer') ??
    challenges.find(({ scheme }) => scheme === 'basic')
  );
}

function passwordHeader(credentials: Credentials): string {
  switch (credentials.kind) {
    case 'basic':
      return basicHeader(credentials.username, credentials.password);
    case 'identity':
      return basicHeader(credentials.username, credentials.token);
    case 'bearer':
      return `Bearer ${credentials.token}`;
  }
}
