import { readFile } from 'node:fs/promises';
import { RegistryError, systemCode } from '../core/errors.ts';
import { helperCredentials, type HelperOptions } from './credential-helper.ts';
import { credentialsOf, foundIn, type Credentials, type CredentialSource } from './credentials.ts';
import { normalHost } from './docker-host.ts';

/**
 * Credentials as `docker login` and `podman login` leave them in a `config.json` or `auth.json`:
 * `credHelpers`, then `auths`, then `credsStore`. The file is read each time; a missing one holds
 * none. Of podman's keys with a path (`quay.io/org`) the longest that the repository is under counts.
 * @throws RegistryError UPSTREAM_UNAVAILABLE for a file that cannot be read or is not JSON
 */
export function dockerCredentials(file: string, options: HelperOptions): CredentialSource {
  const helpers = new Map<string, CredentialSource>();
  const helper = (name: string): CredentialSource => {
    const source = helpers.get(name) ?? helperCredentials(name, options);
    helpers.set(name, source);
    return source;
  };
  return async (registryHost, path = '') => {
    const config = await readConfig(file);
    if (config === undefined) return undefined;
    const host = normalHost(registryHost);
    const auths = recordOf(config['auths']);
    for (const name of namespacesOf(path)) {
      const special = authOf(entryFor(auths, `${host}/${name}`));
      if (special !== undefined) return foundIn(file, special);
    }
    const own = entryFor(recordOf(config['credHelpers']), host);
    if (typeof own === 'string') return await helper(own)(host);
    const given = authOf(entryFor(auths, host));
    if (given !== undefined) return foundIn(file, given);
    const store = config['credsStore'];
    return typeof store === 'string' && store !== '' ? await helper(store)(host) : undefined;
  };
}

/** `a/b/c`, `a/b`, `a`. */
function namespacesOf(path: string): readonly string[] {
  const parts = path === '' ? [] : path.split('/');
  return parts.map((_, index) => parts.slice(0, parts.length - index).join('/'));
}

/** The file as it is; `undefined` when there is none. @throws RegistryError UPSTREAM_UNAVAILABLE */
export async function readConfig(path: string): Promise<Record<string, unknown> | undefined> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    if (systemCode(cause) === 'ENOENT') return undefined;
    throw unusable(path, 'cannot be read', cause);
  }
  try {
    return recordOf(JSON.parse(text));
  } catch {
    // Without a cause: the parser's message quotes what it read, and that may be a secret.
    throw unusable(path, 'is not JSON');
  }
}

function unusable(path: string, why: string, cause?: unknown): RegistryError {
  return new RegistryError(
    'UPSTREAM_UNAVAILABLE',
    `the credentials file ${path} ${why}`,
    cause === undefined ? {} : { cause },
  );
}

function entryFor(entries: Record<string, unknown>, host: string): unknown {
  return Object.entries(entries).find(([key]) => normalHost(key) === host)?.[1];
}

/** What an entry of `auths` holds. */
export function authOf(entry: unknown): Credentials | undefined {
  const { auth, username, password, identitytoken, registrytoken } = recordOf(entry);
  if (typeof registrytoken === 'string' && registrytoken !== '') {
    return { kind: 'bearer', token: registrytoken };
  }
  const [user, secret] = pairOf(auth) ?? [username, password];
  const name = typeof user === 'string' ? user : '';
  if (typeof identitytoken === 'string' && identitytoken !== '') {
    return { kind: 'identity', username: name, token: identitytoken };
  }
  if (typeof secret !== 'string' || secret === '') return undefined;
  return credentialsOf(name, secret);
}

/** `auth` is base64 of `user:password`; older files end it with NUL bytes. */
function pairOf(auth: unknown): readonly [string, string] | undefined {
  if (typeof auth !== 'string' || auth === '') return undefined;
  const text = Buffer.from(auth, 'base64').toString('utf8');
  const colon = text.indexOf(':');
  return colon < 0 ? undefined : [text.slice(0, colon), text.slice(colon + 1).replace(/\0+$/, '')];
}

export function recordOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : {};
}
