import { homedir } from 'node:os';
import path from 'node:path';
import type { Upstream as UpstreamConfig, UpstreamTls } from '../config/config.ts';
import type { PemFiles } from '../config/pem.ts';
import { RegistryError } from '../core/errors.ts';
import { helperCredentials } from '../upstream/credential-helper.ts';
import {
  fileCredentials,
  givenCredentials,
  type CredentialSource,
} from '../upstream/credentials.ts';
import type { ProxyOptions, TlsOptions } from '../upstream/dispatcher.ts';
import { dockerCredentials } from '../upstream/docker-config.ts';
import '../upstream/everything.ts';
import { upstream, type Upstream, type UpstreamOptions } from '../upstream/upstream.ts';

/** Attempts after the first one until there are headers; a body that breaks has `downloads.retries`. */
const REQUEST_RETRIES = 2;

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * All that the connections to an upstream are made of, as plain data: as long as it is the same, they
 * can stay. How tags age, aliases and shares are no part of it.
 */
export interface Recipe extends Pick<
  UpstreamConfig,
  | 'host'
  | 'url'
  | 'mirrors'
  | 'headers'
  | 'allowPrivate'
  | 'maxConnections'
  | 'timeouts'
  | 'credentials'
> {
  readonly proxy: ProxyOptions | undefined;
  readonly tls: TlsOptions | undefined;
}

/** Equal recipes (`isDeepStrictEqual`) make equal connections; the files that are named must have been read. */
export function recipeOf(
  settings: UpstreamConfig,
  environment: Environment,
  pem: PemFiles,
): Recipe {
  const { host, url, mirrors, headers, allowPrivate, maxConnections, timeouts, credentials } =
    settings;
  return {
    host,
    url,
    mirrors,
    headers,
    allowPrivate,
    maxConnections,
    timeouts,
    credentials,
    proxy: settings.proxy ?? proxyOf(environment),
    tls: tlsOf(settings.tls, pem),
  };
}

/** @throws RegistryError UNAUTHORIZED for a variable that is not there, or Error of Node */
export function connect(
  { credentials: _named, ...recipe }: Recipe,
  credentials: CredentialSource | undefined,
  told: Pick<UpstreamOptions, 'via' | 'observe'>,
): Upstream {
  return upstream({ ...recipe, ...told, credentials, retries: REQUEST_RETRIES });
}

function tlsOf(tls: UpstreamTls, pem: PemFiles): TlsOptions | undefined {
  const { insecureSkipVerify } = tls;
  const text = (file: string | undefined) => (file === undefined ? undefined : pem.get(file));
  const [ca, cert, key] = [text(tls.ca), text(tls.cert), text(tls.key)];
  if (ca === undefined && cert === undefined && !insecureSkipVerify) return undefined;
  return {
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
    insecureSkipVerify,
  };
}

/** Passwords in files, and what helpers and docker's file say, is asked for whenever it is needed. */
export function credentialsOf(
  { host, credentials }: Pick<Recipe, 'host' | 'credentials'>,
  environment: Environment,
): CredentialSource | undefined {
  const helpers = { environment };
  switch (credentials?.kind) {
    case undefined: {
      // Only where somebody asked for it: a developer's own logins are not everybody's business.
      const folder = environment['DOCKER_CONFIG'];
      if (folder === undefined || folder === '') return undefined;
      return dockerCredentials(path.join(folder.replace(/^~/, homedir()), 'config.json'), helpers);
    }
    case 'password':
      return givenCredentials(credentials.username, credentials.password);
    case 'file':
      return fileCredentials(credentials.username, credentials.passwordFile);
    case 'environment': {
      const password = environment[credentials.passwordEnv];
      if (password !== undefined) return givenCredentials(credentials.username, password);
      throw new RegistryError(
        'UNAUTHORIZED',
        `upstreams.${host}.credentials.passwordEnv: the environment has no ${credentials.passwordEnv}`,
      );
    }
    case 'helper':
      return helperCredentials(credentials.helper, helpers);
  }
}

function proxyOf(environment: Environment): ProxyOptions | undefined {
  const get = (name: string) => environment[name.toLowerCase()] ?? environment[name];
  const [http, https, none] = [get('HTTP_PROXY'), get('HTTPS_PROXY'), get('NO_PROXY')];
  if (!http && !https) return undefined;
  return { ...(http && { http }), ...(https && { https }), ...(none && { none }) };
}
