import { isUnknown, RegistryError } from '../../core/errors.ts';
import type { Credentials } from '../../upstream/credentials.ts';
import { client, type Client, type ClientOptions } from '../client.ts';
import type { Environment } from './credential-files.ts';
import { logins } from './logins.ts';

/**
 * Shows a registry the credentials, and keeps them where docker does if it takes them. Tells the
 * place: a file, or a credential helper's program.
 * @param host as users write it: `docker.io`, `localhost:5000`
 * @throws RegistryError UNAUTHORIZED for a wrong name or password, and what else keeps one from asking
 */
export async function login(
  host: string,
  credentials: Credentials,
  environment: Environment,
  options: ClientOptions = {},
): Promise<string> {
  await using asking = client({ ...options, credentials: async () => credentials });
  await checkLogin(asking, host);
  return await logins(environment).store(host, credentials);
}

/** Shows a registry the client's credentials. @throws RegistryError as `login` does */
export async function checkLogin(client: Client, host: string): Promise<void> {
  const registry = await client.registry(host);
  try {
    await registry.check();
  } catch (cause) {
    if (isUnknown(cause)) {
      throw new RegistryError('UPSTREAM_INVALID', `${host}: there is no registry`, { cause });
    }
    if (!(cause instanceof RegistryError) || cause.code !== 'DENIED') throw cause;
    throw new RegistryError('UNAUTHORIZED', `${host}: wrong user name or password`);
  }
}
