import type { Config } from '../config/config.ts';
import type { PemFiles } from '../config/pem.ts';
import type { Tls } from '../http/server.ts';
import type { TagPolicy } from '../mirror/policy.ts';

/** How tags of an upstream age. */
export function policyOf({ upstreams, offline, tags }: Config, host: string): TagPolicy {
  const policy = upstreams.get(host)?.tags ?? tags;
  // Nobody is asked, so nothing gets stale.
  return offline ? { ...policy, freshFor: Infinity } : policy;
}

/** What the server shows to clients; `undefined`: plain HTTP. */
export function tlsOf({ tls }: Config, pem: PemFiles): Tls | undefined {
  if (tls === undefined) return undefined;
  const text = (file: string): string => pem.get(file) ?? '';
  const { clientCa } = tls;
  return {
    cert: text(tls.cert),
    key: text(tls.key),
    ...(clientCa !== undefined && { clientCa: text(clientCa) }),
  };
}
