import { RegistryError, systemCode, type ErrorCode, type ErrorDetails } from '../core/errors.ts';
import type { Kind } from '../core/kind.ts';
import type { Said } from './error-body.ts';
import { configurationHints, type Hints } from './hints.ts';
import { PrivateAddressError } from './private-address.ts';
import { errors } from './undici.ts';

/** How a request without an answer ended: the `code` of its event. */
export type Trouble =
  | 'timeout'
  | 'dns'
  | 'tls'
  | 'no-tls'
  | 'refused'
  | 'reset'
  | 'private'
  | 'invalid';

/** What an endpoint throws: with it goes whether asking again may help, and whether it counts as out of reach. */
export class UpstreamError extends RegistryError {
  /** For the `retry` event. */
  readonly reason: string;
  readonly retry: 'worthwhile' | 'useless';
  readonly reached: 'yes' | 'no';
  /** The registry's own words, where it said in an error document that something is not there. */
  readonly said: readonly Said[] | undefined;

  constructor(
    code: ErrorCode,
    message: string,
    nature: Pick<UpstreamError, 'reason' | 'retry' | 'reached'> & {
      readonly said?: UpstreamError['said'];
    },
    details: ErrorDetails = {},
  ) {
    super(code, message, details);
    this.reason = nature.reason;
    this.retry = nature.retry;
    this.reached = nature.reached;
    this.said = nature.said;
  }
}

/** Who was asked and for what, as messages name it. */
export interface Subject {
  /** The upstream's configured name. */
  readonly host: string;
  /** Host and port that were dialled. */
  readonly dialled: string;
  /** Empty when it is about the registry as a whole. */
  readonly repository: string;
  readonly kind: Kind;
  /** The tag or digest, where it is about one. */
  readonly name?: string | undefined;
  /** How it is spoken to, for as long as it has answered nothing. */
  readonly meeting?: 'plain' | 'secure' | undefined;
  /** Those for a configured upstream if left out. */
  readonly hints?: Hints | undefined;
}

/** Which registry, and which repository of it, as messages name them. */
export function describe({ host, dialled, repository }: Subject): string {
  const name = repository === '' ? host : `${host}/${repository}`;
  return dialled === host ? name : `${name} (at ${dialled})`;
}

/** The tag or digest that the path of a request ends with. */
export function nameIn(path: string): string | undefined {
  return /\/(?:manifests|blobs)\/([^/?]+)(?:\?|$)/.exec(path)?.[1];
}

/** What somebody can do about a failure, in the words of where the upstream is configured. */
export function hintsOf({ hints, host }: Subject): Hints {
  return hints ?? configurationHints(host);
}

const TROUBLES: Readonly<Record<string, Trouble>> = {
  PRIVATE_ADDRESS: 'private',
  ENOTFOUND: 'dns',
  EAI_AGAIN: 'dns',
  ETIMEDOUT: 'timeout',
  UND_ERR_CONNECT_TIMEOUT: 'timeout',
  UND_ERR_HEADERS_TIMEOUT: 'timeout',
  UND_ERR_BODY_TIMEOUT: 'timeout',
  ECONNREFUSED: 'refused',
  EHOSTUNREACH: 'refused',
  ENETUNREACH: 'refused',
  EADDRNOTAVAIL: 'refused',
  EPROTO: 'tls',
  UND_ERR_PRX_TLS: 'tls',
  // What came is no record of TLS.
  ERR_SSL_WRONG_VERSION_NUMBER: 'no-tls',
  ERR_SSL_PACKET_LENGTH_TOO_LONG: 'no-tls',
  UND_ERR_HEADERS_OVERFLOW: 'invalid',
  UND_ERR_INVALID_ARG: 'invalid',
};

/** OpenSSL's verdicts on certificates have names of their own, listed in Node's "X509 certificate error codes". */
const CERTIFICATE =
  /^(?:ERR_TLS_|ERR_SSL_|ERR_OSSL_|CERT_|CRL_|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|INVALID_CA|INVALID_PURPOSE|PATH_LENGTH_|HOSTNAME_MISMATCH|ERROR_IN_CERT_)/;

/** The upstream was disposed: by ourselves, and for good. */
const CLOSED: ReadonlySet<string> = new Set(['UND_ERR_DESTROYED', 'UND_ERR_CLOSED']);

/** Of these, what is wrong with the connection rather than with the certificate. */
const PROTOCOL = /^ERR_(?:SSL|OSSL)_/;

/** What the other side says of us, or of the way we speak (RFC 8446 section 6.2). */
const ALERT = /^ERR_SSL_\w*_ALERT_/;

/** Whether TLS was spoken, and the certificate found wanting. */
export function isUntrusted({ cause }: Error): boolean {
  const code = systemCode(cause) ?? '';
  return CERTIFICATE.test(code) && !PROTOCOL.test(code);
}

/** Recognises an error by its class and code. */
export function troubleOf(error: unknown): Trouble {
  if (error instanceof PrivateAddressError) return 'private';
  const code = systemCode(error) ?? '';
  if (error instanceof errors.HTTPParserError || code.startsWith('HPE_')) return 'invalid';
  return TROUBLES[code] ?? (CERTIFICATE.test(code) ? 'tls' : 'reset');
}

/** Makes of what a connection threw what may cross floors. */
export function connectionFailure(cause: unknown, subject: Subject): UpstreamError {
  const trouble = troubleOf(cause);
  const { dialled } = subject;
  const hints = hintsOf(subject);
  const at = describe(subject);
  const way = hints.proxy === undefined ? '' : `; ${hints.proxy}`;
  const make = (
    code: ErrorCode,
    message: string,
    retry: 'worthwhile' | 'useless',
    reached: 'yes' | 'no' = 'no',
  ): UpstreamError =>
    new UpstreamError(code, message, { reason: trouble, retry, reached }, { cause });
  switch (trouble) {
    case 'timeout':
      return make(
        'UPSTREAM_TIMEOUT',
        `${at}: no answer in time from ${dialled}${way}`,
        'worthwhile',
      );
    case 'dns':
      return make(
        'UPSTREAM_UNAVAILABLE',
        `${at}: the name ${dialled} cannot be resolved${way}`,
        'worthwhile',
      );
    case 'refused':
      return make(
        'UPSTREAM_UNAVAILABLE',
        `${at}: cannot connect to ${dialled}${way}`,
        'worthwhile',
      );
    case 'reset':
      return make(
        'UPSTREAM_UNAVAILABLE',
        `${at}: the connection to ${dialled} was cut${way === '' ? atFirst(subject) : way}`,
        CLOSED.has(systemCode(cause) ?? '') ? 'useless' : 'worthwhile',
      );
    case 'tls':
      if (ALERT.test(systemCode(cause) ?? '')) {
        const message = `${at}: ${dialled} ended the TLS connection (${systemCode(cause)}); ${hints.identity}`;
        return make('UPSTREAM_UNAVAILABLE', message, 'useless');
      }
      return make(
        'UPSTREAM_UNAVAILABLE',
        `${at}: no trust in the TLS connection to ${dialled} (${systemCode(cause) ?? 'unknown reason'}); ${hints.untrusted}`,
        'useless',
      );
    case 'no-tls':
      return make(
        'UPSTREAM_UNAVAILABLE',
        `${at}: ${dialled} does not speak TLS (${systemCode(cause)}); ${hints.withoutTls}`,
        'useless',
      );
    case 'private':
      return make(
        'UPSTREAM_UNAVAILABLE',
        `${at}: refused to connect to the private address of ${dialled}; ${hints.privateAddress}`,
        'useless',
        'yes',
      );
    case 'invalid':
      return make(
        'UPSTREAM_INVALID',
        `${at}: ${dialled}, or a proxy before it, did not answer in proper HTTP${way}`,
        'useless',
      );
  }
}

/** Who cuts what has hardly begun may expect something else. */
function atFirst(subject: Subject): string {
  const { identity, plain } = hintsOf(subject);
  switch (subject.meeting) {
    case undefined:
      return '';
    case 'plain':
      return `; ${plain}`;
    case 'secure':
      return `; ${identity}`;
  }
}

/** An answer that came and cannot be used. */
export function invalid(subject: Subject, what: string, cause?: unknown): UpstreamError {
  return new UpstreamError(
    'UPSTREAM_INVALID',
    `${describe(subject)}: ${what}`,
    { reason: 'invalid', retry: 'useless', reached: 'yes' },
    cause === undefined ? {} : { cause },
  );
}

/** What was to be sent failed while it was read: the endpoint has nothing to do with it. */
export function unsent(subject: Subject, cause: unknown): UpstreamError {
  return new UpstreamError(
    'UPSTREAM_UNAVAILABLE',
    `${describe(subject)}: what was to be sent could not be read`,
    { reason: 'content', retry: 'useless', reached: 'yes' },
    { cause },
  );
}
