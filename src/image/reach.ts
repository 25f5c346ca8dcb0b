import { RegistryError } from '../core/errors.ts';
import { isUntrusted, UpstreamError } from '../upstream/failure.ts';
import { upstream, type Upstream, type UpstreamOptions } from '../upstream/upstream.ts';
import { isLoopback, urlOf } from './address.ts';

/** What connections that did not come about end with; anything else is an answer of some kind. */
const SILENT: ReadonlySet<string> = new Set([
  'tls',
  'no-tls',
  'reset',
  'refused',
  'invalid',
  'timeout',
  // Of a server that expects TLS, or a certificate.
  '400',
]);

/**
 * The registry by https, except that one on this machine which answers without TLS is spoken to
 * without. Elsewhere nobody who sits in between may bring that about.
 */
export async function reach(
  host: string,
  options: Omit<UpstreamOptions, 'url'>,
): Promise<Upstream> {
  const secure = { ...options, url: urlOf(host, 'https') };
  if (!isLoopback(host)) return upstream(secure);
  const plain = { ...options, url: urlOf(host, 'http') };
  if (options.proxy === undefined && /:\d+$/.test(host)) {
    await using stack = new AsyncDisposableStack();
    const registry = stack.use(upstream(plain));
    // First, as it costs a fraction of trying TLS, which loads every root certificate.
    if (await registry.greets()) {
      stack.move();
      return registry;
    }
  }
  if ((await probe(secure)) === 'answered') return upstream(secure);
  // When neither is of use, what is wrong with TLS is the better story.
  return upstream((await probe(plain)) === 'answered' ? plain : secure);
}

async function probe(options: UpstreamOptions): Promise<'answered' | 'silent'> {
  await using registry = upstream({ ...options, retries: 0, credentials: undefined });
  try {
    await registry.check();
    return 'answered';
  } catch (error) {
    if (!(error instanceof RegistryError)) throw error;
    const silent = error instanceof UpstreamError && SILENT.has(error.reason);
    return silent && !isUntrusted(error) ? 'silent' : 'answered';
  }
}
