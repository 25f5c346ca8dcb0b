import { readFile } from 'node:fs/promises';
import { RegistryError } from '../core/errors.ts';

/** What a registry is shown. None of it may reach a log or a message. */
export type Credentials = (
  | { readonly kind: 'basic'; readonly username: string; readonly password: string }
  /** A refresh token (docker's `identitytoken`), to be changed for access tokens. */
  | { readonly kind: 'identity'; readonly username: string; readonly token: string }
  /** An access token as it is (docker's `registrytoken`). */
  | { readonly kind: 'bearer'; readonly token: string }
) & {
  /** Where they were found, as messages name it: a file, a program, a flag. */
  readonly from?: string;
};

/**
 * Where credentials come from, by the registry's name (`docker.io`, `localhost:5000`) and, where the
 * source can tell parts of a registry apart, the repository's path; `undefined` when it has none.
 * Asked before every token, so it may be slow only now and then.
 */
export type CredentialSource = (
  registryHost: string,
  path?: string,
) => Promise<Credentials | undefined>;

/** The user name that stands for "the password is an identity token" in docker's files and helpers. */
const TOKEN_USER = '<token>';

/** The same for every registry. @param from where they were given, as messages name it */
export function givenCredentials(
  username: string,
  password: string,
  from?: string,
): CredentialSource {
  const credentials = foundIn(from, credentialsOf(username, password));
  return async () => credentials;
}

/**
 * The password is the file's text without the line end. It is read each time, so that rotated
 * secrets are seen.
 * @throws RegistryError UPSTREAM_UNAVAILABLE when the file cannot be read
 */
export function fileCredentials(username: string, passwordFile: string): CredentialSource {
  return async () => {
    const text = await readSecret(passwordFile);
    return foundIn(passwordFile, credentialsOf(username, text.replace(/\r?\n$/, '')));
  };
}

async function readSecret(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    throw new RegistryError('UPSTREAM_UNAVAILABLE', `the password file ${file} cannot be read`, {
      cause,
    });
  }
}

/** The same credentials, of which it is known where they come from. */
export function foundIn<T extends Credentials | undefined>(from: string | undefined, found: T): T {
  return found === undefined || from === undefined ? found : { ...found, from };
}

/** Asks one source after the other until one knows. */
export function firstCredentials(...sources: readonly CredentialSource[]): CredentialSource {
  return async (registryHost, path) => {
    for (const source of sources) {
      const credentials = await source(registryHost, path);
      if (credentials !== undefined) return credentials;
    }
    return undefined;
  };
}

/** Reads a user name and password the way docker means them. */
export function credentialsOf(username: string, password: string): Credentials {
  return username === TOKEN_USER
    ? { kind: 'identity', username, token: password }
    : { kind: 'basic', username, password };
}

/** The value of an `Authorization` header (RFC 7617). */
export function basicHeader(username: string, password: string): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}
