import { basicHeader, type Credentials } from './credentials.ts';
import { readAll, type HttpRequest, type HttpResponse } from './exchange.ts';
import { invalid, UpstreamError, type Subject } from './failure.ts';
import { follow, isRedirect, type Followed } from './redirect.ts';
import { denied, notTaken, refusal } from './refusal.ts';

/** What a Bearer challenge asks to be fetched. */
export interface TokenRequest {
  readonly realm: URL;
  readonly service: string | undefined;
  /** Several are divided by spaces. */
  readonly scope: string;
}

export interface Token {
  readonly value: string;
  /** Seconds; 60 when the server does not say ("Token Authentication Specification" of distribution). */
  readonly expiresIn: number;
}

type Send = (request: HttpRequest, subject: Subject) => Promise<HttpResponse>;

const CLIENT = 'layover';
const LONGEST_ANSWER = 1024 * 1024;
const WITHOUT_EXPIRY = 60;
/** What token servers say that know one of the two ways only. */
const OTHER_WAY: ReadonlySet<number> = new Set([400, 401, 404, 405]);

/**
 * Gets an access token: an identity token by POST (OAuth2), a password by GET; each by the other
 * way too where the server does not know the first.
 * @throws UpstreamError DENIED where the token server refuses; that is how registries say "not there" too
 */
export async function fetchToken(
  request: TokenRequest,
  credentials: Credentials | undefined,
  send: Send,
  subject: Subject,
): Promise<Token> {
  const ways = waysFor(request, credentials);
  let wrong = false;
  for (const [index, way] of ways.entries()) {
    const { response: answer, origin } = await ask(way, send, subject);
    using response = answer;
    const { status } = response;
    if (status >= 200 && status < 300) return await parse(response, subject);
    // Elsewhere nothing was shown that could be wrong.
    wrong ||= status === 401 && origin === 'endpoint' && credentials !== undefined;
    if (index < ways.length - 1 && (OTHER_WAY.has(status) || isRedirect(status))) continue;
    // Who does not know the other way still said what it thinks of the first.
    if (wrong && status < 429) {
      throw notTaken({ ...subject, dialled: request.realm.host }, 'token 401', credentials);
    }
    throw await refused(response, subject);
  }
  throw invalid(subject, 'no way to ask for a token');
}

/** What is posted is for the realm alone, wherever that leads. */
async function ask(way: HttpRequest, send: Send, subject: Subject): Promise<Followed> {
  const { host } = way.url;
  if (way.method === 'GET') return await follow(send, way, host, subject);
  const dialled = { ...subject, dialled: host };
  return { response: await send(way, dialled), origin: 'endpoint', subject: dialled };
}

function waysFor(request: TokenRequest, credentials: Credentials | undefined): HttpRequest[] {
  switch (credentials?.kind) {
    case undefined:
      return [get(request)];
    case 'bearer':
      return [];
    case 'identity': {
      const { username, token } = credentials;
      const grant = { grant_type: 'refresh_token', refresh_token: token };
      return [post(request, grant), get(request, basicHeader(username, token))];
    }
    case 'basic': {
      const { username, password } = credentials;
      const grant = { grant_type: 'password', username, password };
      return [get(request, basicHeader(username, password)), post(request, grant)];
    }
  }
}

function get({ realm, service, scope }: TokenRequest, authorization?: string): HttpRequest {
  const url = new URL(realm);
  if (service !== undefined) url.searchParams.set('service', service);
  for (const one of scope.split(' ')) if (one !== '') url.searchParams.append('scope', one);
  const headers = { accept: 'application/json', ...(authorization && { authorization }) };
  return { method: 'GET', url, headers };
}

function post(
  { realm, service, scope }: TokenRequest,
  grant: Readonly<Record<string, string>>,
): HttpRequest {
  const fields = { ...grant, client_id: CLIENT, scope, ...(service !== undefined && { service }) };
  return {
    method: 'POST',
    url: realm,
    headers: {
      accept: 'application/json',
      'content-type': 'application/x-www-form-urlencoded',
    },
    body: new URLSearchParams(fields).toString(),
  };
}

async function refused(response: HttpResponse, subject: Subject): Promise<UpstreamError> {
  const { status } = response;
  if (status < 400 || status === 429 || status === 408 || status >= 500) {
    return await refusal(response, subject, 'elsewhere');
  }
  const nature = { reason: `token ${status}`, retry: 'useless', reached: 'yes' } as const;
  return new UpstreamError('DENIED', denied(subject), nature);
}

async function parse(response: HttpResponse, subject: Subject): Promise<Token> {
  const bytes = await readAll(response, LONGEST_ANSWER);
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    // Without a cause: the parser's message quotes what it read, and that may be a token.
    throw invalid(subject, 'the token server did not answer in JSON');
  }
  const fields = typeof value === 'object' && value !== null ? { ...value } : {};
  const { token, access_token: accessToken, expires_in: expires }: Record<string, unknown> = fields;
  const given = [token, accessToken].find(isToken);
  if (given === undefined) throw invalid(subject, 'the token server gave no usable token');
  const expiresIn = typeof expires === 'number' && expires > 0 ? expires : WITHOUT_EXPIRY;
  return { value: given, expiresIn };
}

/** What may stand in a header: printable, no spaces. */
function isToken(value: unknown): value is string {
  return typeof value === 'string' && /^[\x21-\x7e]+$/.test(value);
}
