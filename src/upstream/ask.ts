import type { Kind } from '../core/kind.ts';
import { viaHeader } from '../core/via.ts';
import type { Answer } from './answer.ts';
import type { HttpBody, HttpRequest, Method } from './exchange.ts';

/** Something asked of a registry. */
export interface Ask {
  readonly method: Method;
  readonly kind: Kind;
  readonly repository: string;
  /** Below the API root (`/v2/…`), with its query. */
  readonly path: string;
  /** Instead of `path`: where the registry itself said to go on, on whatever host. */
  readonly url?: URL;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: HttpBody;
  /** What a token must allow (`scope.ts`); to pull if left out. */
  readonly scope?: string;
  /** Statuses besides 2xx that the asker can do something with. */
  readonly also?: readonly number[];
  /** The same, of hosts that it was redirected to. */
  readonly alsoElsewhere?: readonly number[];
}

/** What goes with every request to an endpoint. */
export interface Signature {
  readonly headers: Readonly<Record<string, string>>;
  readonly via?: string | undefined;
  readonly authorization: string | undefined;
}

/** Compressed answers are never wanted: bytes are passed on as they are. The ask prevails over the signature. */
export function requestOf({ method, headers, body }: Ask, url: URL, by: Signature): HttpRequest {
  return {
    method,
    url,
    headers: {
      'user-agent': 'layover',
      ...by.headers,
      'accept-encoding': 'identity',
      ...(by.via !== undefined && { via: viaHeader(by.via) }),
      ...headers,
      ...(by.authorization !== undefined && { authorization: by.authorization }),
    },
    ...(body !== undefined && { body }),
  };
}

/** Answers of registries behind redirects that mean "ask for a new URL". */
const EXPIRED: ReadonlySet<number> = new Set([400, 401, 403, 404, 410]);

/** Whether the answer is one that the asker can do something with. */
export function isUsable(
  { response: { status }, origin }: Answer,
  { also, alsoElsewhere }: Ask,
): boolean {
  if ((status >= 200 && status < 300) || also?.includes(status)) return true;
  return origin === 'elsewhere' && alsoElsewhere?.includes(status) === true;
}

/** Whether a new URL may lead further, where the asker has nothing better to do with the answer. */
export function isExpired(
  { response: { status }, origin }: Answer,
  { alsoElsewhere }: Ask,
): boolean {
  if (origin === 'endpoint' || alsoElsewhere?.includes(status)) return false;
  return EXPIRED.has(status) || status >= 500;
}
