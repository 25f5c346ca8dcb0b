/** What messages tell people to change; whole clauses, that follow what went wrong. */
export interface Hints {
  /** A certificate that cannot be trusted. */
  readonly untrusted: string;
  /** A redirect, token server or upload at an address that others may not lead to. */
  readonly privateAddress: string;
  /** Refused, or not there: registries do not say which. */
  readonly denied: string;
  /** Credentials that were shown, and refused. */
  readonly refused: string;
  /** The server ends the connection while TLS begins: it may want to know who asks. */
  readonly identity: string;
  /** It does not speak TLS. */
  readonly withoutTls: string;
  /** Without TLS it does not answer as a registry does. */
  readonly plain: string;
  readonly limited: string;
  readonly busy: string;
  /** Where there is a proxy: that it is on the way. */
  readonly proxy?: string | undefined;
}

/** For an upstream of the configuration. */
export function configurationHints(host: string): Hints {
  const key = `upstreams.${host}`;
  return {
    untrusted: `for a private authority set ${key}.tls.ca`,
    privateAddress: `if that is meant, name it in ${key}.allowPrivate`,
    denied: `for a private repository check ${key}.credentials`,
    refused: `check ${key}.credentials`,
    withoutTls: `if that is meant, write http:// in ${key}.url`,
    identity: `if it wants a client certificate, set ${key}.tls.cert and ${key}.tls.key`,
    plain: `if it speaks TLS, write https:// in ${key}.url`,
    limited: `credentials under ${key} may raise the limit`,
    busy: `raise ${key}.maxConnections`,
  };
}
