import { LRUCache } from 'lru-cache';
import { SingleFlight } from '../core/single-flight.ts';
import { parseChallenges, type Challenge } from './challenge.ts';
import type { Clock, Deadline } from './clock.ts';
import { basicHeader, type Credentials } from './credentials.ts';
import type { Headers, HttpRequest, HttpResponse } from './exchange.ts';
import { invalid, UpstreamError, type Subject } from './failure.ts';
import { challengedScope } from './scope.ts';
import { fetchToken, type TokenRequest } from './token.ts';

type Send = (request: HttpRequest, subject: Subject, deadline: Deadline) => Promise<HttpResponse>;

export interface AuthOptions {
  /** Of the endpoint's API: decides what the realm's scheme may be. */
  readonly url: URL;
  /** @param repository for which they are wanted: some are for a part of a registry only */
  readonly credentials: (repository: string) => Promise<Credentials | undefined>;
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

/** What is asked about, and what a token must allow (`scope.ts`). */
export interface Scoped {
  readonly subject: Subject;
  readonly scope: string;
}

/** How one endpoint is shown who asks: nothing, a password, or a token for each scope. */
export class Auth {
  readonly #options: AuthOptions;
  readonly #tokens = new LRUCache<string, Held>({ max: MOST_TOKENS });
  readonly #flights = new SingleFlight<string | undefined>();
  #scheme: Scheme | undefined;

  constructor(options: AuthOptions) {
    this.#options = options;
  }

  /** The `Authorization` to begin with; `undefined` while nothing was ever asked for. */
  async header(scoped: Scoped, deadline: Deadline): Promise<string | undefined> {
    const scheme = this.#scheme;
    return scheme === undefined ? undefined : await this.#obtain(scoped, scheme, deadline);
  }

  /**
   * After a 401 to a request that carried `used`: another `Authorization` to try, `undefined` when
   * there is none.
   * @throws UpstreamError DENIED where the token server refuses
   */
  async renew(
    scoped: Scoped,
    headers: Headers,
    used: string | undefined,
    deadline: Deadline,
  ): Promise<string | undefined> {
    const { subject, scope } = scoped;
    const challenge = pick(headers) ?? (await this.#baseChallenge(subject, deadline));
    if (challenge === undefined) return undefined;
    const scheme = this.#schemeOf(challenge, subject);
    this.#scheme = scheme;
    if (this.#tokens.get(scope)?.authorization === used) this.#tokens.delete(scope);
    const wanted = challengedScope(challenge.parameters['scope'], scope);
    const fresh = await this.#obtain(scoped, scheme, deadline, wanted);
    return fresh === used ? undefined : fresh;
  }

  async #obtain(
    scoped: Scoped,
    scheme: Scheme,
    deadline: Deadline,
    wanted = scoped.scope,
  ): Promise<string | undefined> {
    if (scheme.kind === 'basic') {
      const credentials = await this.#options.credentials(scoped.subject.repository);
      return credentials === undefined ? undefined : passwordHeader(credentials);
    }
    const held = this.#tokens.get(scoped.scope);
    if (held !== undefined && this.#options.clock.now() < held.refreshAt) return held.authorization;
    const { realm, service } = scheme;
    return await this.#flights.run(scoped.scope, () =>
      this.#fetch(scoped, { realm, service, scope: wanted }, deadline),
    );
  }

  async #fetch(scoped: Scoped, request: TokenRequest, deadline: Deadline): Promise<string> {
    const { subject, scope } = scoped;
    const { credentials, send, clock, observe } = this.#options;
    try {
      const known = await credentials(subject.repository);
      if (known?.kind === 'bearer') return `Bearer ${known.token}`;
      const within = (asked: HttpRequest, of: Subject) => send(asked, of, deadline);
      const token = await fetchToken(request, known, within, subject);
      observe('ok');
      const authorization = `Bearer ${token.value}`;
      const refreshAt = clock.now() + token.expiresIn * WORTH_USING * 1000;
      this.#tokens.set(scope, { authorization, refreshAt });
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
