import { RegistryError } from '../../../core/errors.ts';
import type { Code, Finding, Report } from '../check.ts';

/** A configured upstream, ready to be asked. */
export interface Askable {
  readonly host: string;
  /** What is dialled: `upstreams.HOST.url`, or what the host stands for. */
  readonly url: string;
  /** Why the login of the configuration cannot be used; `undefined`: nothing keeps it from that. */
  readonly unusable: string | undefined;
  /** Whether the configuration has a login for it. */
  readonly login: 'anonymous' | 'given';
  /** Asks for the API's root, with the login. @throws RegistryError */
  readonly ask: () => Promise<void>;
  /** What became of the last request, as the upstream floor tells it: `dns`, `tls`, `refused`, a status. */
  readonly last: () => string | undefined;
}

/** Upstreams at one time. */
const AT_ONCE = 6;

/** Whether the mirror's upstreams answer from here, how long they take, and whether they take its logins. */
export async function upstreams(askable: readonly Askable[]): Promise<Report | undefined> {
  if (askable.length === 0) return undefined;
  const waiting = [...askable];
  const findings: Finding[] = [];
  const told: string[] = [];
  const worker = async (): Promise<void> => {
    for (let one = waiting.shift(); one !== undefined; one = waiting.shift()) {
      const began = performance.now();
      try {
        await one.ask();
        told.push(`${one.host} ${Math.round(performance.now() - began)} ms`);
      } catch (error) {
        if (!(error instanceof RegistryError)) throw error;
        findings.push(findingOf(one, error));
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  const answered = told.length === 0 ? 'none answers' : told.toSorted().join(', ');
  return { looked: `upstreams: ${answered}`, findings };
}

function findingOf({ host, url, login, unusable, last }: Askable, error: RegistryError): Finding {
  const finding = (code: Code, means: string, mend: string): Finding => {
    return { code, severity: 'fault', saw: `${host}: ${error.message}`, means, mend };
  };
  const lost = 'what is cached of it is served, the rest is not';
  const key = `upstreams.${host}`;
  const root = `${url.replace(/\/+$/, '')}/v2/`;
  if (unusable !== undefined) {
    return finding(
      'credentials-missing',
      'the server does not start, or pulls what anybody may',
      `put it there, where the server and this command run: ${unusable}`,
    );
  }
  if (error.code === 'DENIED' || error.code === 'UNAUTHORIZED') {
    return login === 'given'
      ? finding(
          'credentials-refused',
          'the upstream does not take the login that is configured: private images cannot be pulled, perhaps none',
          `layover login ${host}   # tries a login; then set ${key}.credentials`,
        )
      : finding(
          'credentials-missing',
          'the upstream wants a login, and none is configured',
          `set ${key}.credentials in the mirror's configuration`,
        );
  }
  if (error.code === 'TOOMANYREQUESTS' || error.code === 'RATE_LIMITED') {
    return finding(
      'rate-limit',
      'only what is cached can be pulled until the upstream allows more',
      `set ${key}.credentials: accounts have larger budgets`,
    );
  }
  switch (last()) {
    case 'dns':
      return finding(
        'upstream-dns',
        lost,
        `getent hosts ${new URL(url).hostname}   # or set ${key}.url`,
      );
    case 'tls':
      return finding(
        'upstream-tls',
        `its certificate is not trusted here: ${lost}`,
        `set ${key}.tls.ca to the authority's certificate`,
      );
    case 'no-tls':
      return finding(
        'upstream-tls',
        `it does not speak TLS: ${lost}`,
        `set ${key}.url to one with https:// that does, or to http:// if that is meant`,
      );
    default:
      if (/^5\d\d$/.test(last() ?? '')) {
        return finding(
          'upstream-failing',
          `it can be reached and fails by itself: ${lost}`,
          `curl -i ${root}   # wait, or ask whoever runs it`,
        );
      }
      return finding(
        'upstream-unreachable',
        lost,
        `curl -v ${root}   # a firewall? set ${key}.proxy, or ${key}.url`,
      );
  }
}
