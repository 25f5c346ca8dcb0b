import type { ProxyOptions } from '../upstream/dispatcher.ts';
import type { Hints } from '../upstream/hints.ts';

/** What somebody at a command line can change. */
export function flagHints(host: string, proxy?: ProxyOptions): Hints {
  return {
    untrusted:
      '--cacert FILE trusts its authority, --insecure any certificate, --plain-http does without TLS',
    withoutTls: '--plain-http does without',
    privateAddress: 'a public registry may not lead into private networks',
    denied: `check the name, or run: layover login ${host}`,
    refused: `another login is stored by: layover login ${host}`,
    identity: 'if it wants a client certificate, --cert FILE and --key FILE show one',
    plain: 'if it speaks TLS, leave out --plain-http',
    proxy: onTheWay(proxy),
    limited: `after "layover login ${host}" the limit may be higher`,
    busy: 'ask for fewer things at a time',
  };
}

/** Without the name and the password that a proxy's URL may hold. */
function onTheWay(proxy: ProxyOptions | undefined): string | undefined {
  if (proxy === undefined) return undefined;
  const urls = typeof proxy === 'string' ? [proxy] : [proxy.https, proxy.http];
  const hosts = urls.flatMap((url) => URL.parse(url ?? '')?.host ?? []);
  const [first] = hosts;
  return first && `the way there may lead through the proxy ${[...new Set(hosts)].join(' or ')}`;
}
