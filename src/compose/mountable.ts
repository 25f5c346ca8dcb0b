import type { Config } from '../config/config.ts';
import { isHosted } from '../core/hosted.ts';
import type { Repository } from '../core/reference.ts';
import { credentialsOf } from './recipe.ts';

/**
 * Tells from which repositories blobs may be mounted into those that live here: from those that
 * everybody may read without this mirror. What lives here is one; what is mirrored is one if its
 * registry is configured and nothing is shown to it: no login, no certificate, no header.
 */
export function mountableBy(
  config: () => Pick<Config, 'hosted' | 'upstreams'>,
  environment: Readonly<Record<string, string | undefined>>,
): (repository: Repository) => Promise<boolean> {
  return async (repository) => {
    const { hosted, upstreams } = config();
    const { host, path } = repository;
    if (isHosted(repository)) return hosted.some((pattern) => pattern.matches(path));
    const upstream = upstreams.get(host);
    if (upstream === undefined || upstream.credentials !== undefined) return false;
    if (upstream.tls.cert !== undefined || Object.keys(upstream.headers).length > 0) return false;
    const logins = credentialsOf(upstream, environment);
    try {
      return (await logins?.(host, path)) === undefined;
    } catch {
      // What cannot be mounted is uploaded: a helper that fails is no reason to refuse a push.
      return false;
    }
  };
}
